// Values as texts: nothing is rounded, and nothing foreign can disguise itself.

const LONGEST_TEXT = 300;
const PLACES = 8; // the venue's prices and sizes are integers in 1e-8
const TOKEN = /"[^"\\]*(?:\\[^][^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/g;
const TOO_LONG = /^-?\d{16,}$/;
const UNSEEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/gu;
const UNITS = [[86_400, "d"], [3_600, "h"], [60, "min"]];

// Reads JSON; an integer that a JavaScript number cannot hold exactly stays a text.
export function parse(text) {
  return JSON.parse(text.replace(TOKEN, (t) => (TOO_LONG.test(t) ? `"${t}"` : t)));
}

// Shows an integer in 1e-8 as a decimal, digit by digit.
export function decimal(units) {
  const text = String(units);
  if (!/^-?\d+$/.test(text)) return clean(text);
  const digits = text.replace("-", "").padStart(PLACES + 1, "0");
  const part = digits.slice(-PLACES).replace(/0+$/, "");
  const sign = text.startsWith("-") ? "-" : "";
  return sign + digits.slice(0, -PLACES) + (part && `.${part}`);
}

// Shortens a text, and makes control and direction characters visible.
export function clean(value) {
  const text = String(value ?? "");
  const shown = text.slice(0, LONGEST_TEXT).replace(UNSEEN, named);
  const more = text.length > LONGEST_TEXT;
  return more ? `${shown}… (${text.length.toLocaleString("en")} characters)` : shown;
}

function named(sign) {
  return `\\u{${sign.codePointAt(0).toString(16)}}`;
}

export function duration(ms) {
  if (ms === null || ms === undefined) return "";
  const seconds = Math.max(0, ms) / 1000;
  const unit = UNITS.find(([size]) => seconds >= 2 * size);
  if (unit) return `${Math.floor(seconds / unit[0])} ${unit[1]}`;
  return seconds < 10 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds)} s`;
}

export function moment(ms) {
  const date = new Date(Number(ms));
  if (ms === null || ms === undefined || Number.isNaN(date.getTime())) return "";
  return `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

export function count(value) {
  return value === null || value === undefined ? "" : clean(value);
}

export function rate(perSecond) {
  if (perSecond === null) return "";
  return `${perSecond < 10 ? perSecond.toFixed(1) : Math.round(perSecond)}/s`;
}

export function bytes(value) {
  const number = Number(value ?? 0);
  if (number < 10_000) return `${number} B`;
  if (number < 10_000_000) return `${Math.round(number / 1000)} kB`;
  return `${Math.round(number / 1_000_000)} MB`;
}
