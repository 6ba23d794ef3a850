// What a state says: rows for the tables, what is wrong, and one sentence about it.

import { bytes, clean } from "./exact.js";

const NAMED = 5; // subscriptions that the sentence names
const SHOWN_ELSEWHERE = /^(subscription |connection |wishes$|kafka flow$)/;
const byText = (a, b) => (a < b ? -1 : Number(a > b));
const byName = new Intl.Collator("en", { numeric: true }).compare;

// Returns a row for each subscription, those that are not live first.
export function subscriptions(status) {
  // While one connection replaces another, the newer one's word counts.
  const open = [...(status.connections ?? [])].sort((a, b) => byText(a.connection, b.connection));
  const carrying = new Set(open.map(place));
  const down = (status.feeds ?? []).filter((one) => one.trouble && !carrying.has(place(one)));
  const sick = unwell(status);
  const up = open.flatMap((connection) => carried(connection, sick));
  const rows = [...down.flatMap((feed) => missing(feed, status)), ...up];
  const newest = new Map(rows.map((row) => [row.key, row]));
  return [...newest.values()].sort((a, b) => b.bad - a.bad || byName(a.key, b.key));
}

export function connections(status) {
  const open = new Map((status.connections ?? []).map((one) => [place(one), one]));
  const rows = (status.feeds ?? []).map((feed) => ({
    key: place(feed),
    frameKey: `frames ${place(feed)}`,
    up: !feed.trouble,
    bad: Boolean(feed.trouble),
    reconnects: feed.reconnects,
    trouble: feed.trouble,
    ...counts(open.get(place(feed))),
  }));
  return rows.sort((a, b) => b.bad - a.bad || byName(a.key, b.key));
}

// Returns what is wrong beside single subscriptions, a short text and a longer one each.
export function troubles(status) {
  return [
    ...phaseTroubles(status),
    ...(status.feeds ?? []).filter((feed) => feed.trouble).map(unconnected),
    ...accounts(status).filter((one) => one.bad).map(untradable),
    ...topics(status).filter((one) => one.bad).map(unsettled),
    ...partTroubles(status),
    ...(status.ownership?.left_out ?? []).map((text) => ["left out", text]),
  ].map(([short, long]) => [clean(short), clean(long || "no more is known")]);
}

// Says at once what is wrong.
export function headline(rows, wrong) {
  const broken = rows.filter((row) => row.bad);
  const parts = [broken.length ? notLive(broken, rows.length) : allLive(rows.length)];
  const kinds = new Map();
  for (const [short] of wrong) kinds.set(short, (kinds.get(short) ?? 0) + 1);
  for (const [short, times] of kinds) parts.push(times > 1 ? `${times}× ${short}` : short);
  return `${parts.slice(0, 1 + NAMED).join("; ")}.`;
}

export function accounts(status) {
  const found = Object.entries(status.orders?.accounts ?? {});
  const rows = found.map(([key, one]) => ({
    key,
    ...one,
    bad: !one.ready || one.trading !== "ACTIVE",
  }));
  return rows.sort((a, b) => b.bad - a.bad || byName(a.key, b.key));
}

export function topics(status) {
  return Object.entries(status.orders?.topics ?? {}).map(([key, one]) => {
    const parts = one.partitions ?? [];
    const sum = (name) => parts.reduce((total, part) => total + (part[name] ?? 0), 0);
    const reading = parts.filter((part) => part.caught_up === false).length;
    const [doubts, waits] = [sum("in_doubt"), sum("unsettled")];
    const [open, owned, bad] = [sum("open_claims"), parts.length, doubts + reading > 0];
    return { key, outcomes: one.outcomes, owned, open, doubts, waits, reading, bad };
  });
}

// Returns the newest commands that have ended, as the worker lists them.
export function commands(status) {
  return (status.orders?.recent ?? []).map((one) => ({
    ...one,
    key: [one.account, one.topic, one.req_id].join("/"),
    bad: one.outcome !== "DONE",
  }));
}

export function kafka({ kafka = {}, ledger = {}, flow, pauses, cuts }) {
  const limit = kafka.high_bytes ? ` of ${bytes(kafka.high_bytes)}` : "";
  return [
    ["Flow", flow, flow && flow !== "FLOWING"],
    ["Waiting for acknowledgement", bytes(kafka.outstanding_bytes) + limit],
    ["Produced", kafka.produced],
    ["Acknowledged", kafka.acked],
    ["Failed", kafka.failed, kafka.failed > 0],
    ["Pauses", pauses],
    ["Cuts", cuts],
    ["Gaps announced", ledger.gaps],
    ["Dead letters", ledger.dead_letters],
    ["Frames discarded", ledger.discarded],
  ].map(([key, value, bad]) => ({ key, value, bad: Boolean(bad) }));
}

export function shares(status) {
  return (status.ownership?.shares ?? []).map((one) => ({
    ...one,
    key: one.share === null ? "everything" : String(one.share),
  }));
}

// Returns what health says of each part that is not well, by the part's name.
function unwell(status) {
  const parts = (status.health?.parts ?? []).filter((part) => !part.ok);
  return new Map(parts.map((part) => [part.name, part.why]));
}

function carried(connection, sick) {
  const bindings = new Map((connection.bindings ?? []).map((one) => [one.name, one]));
  const listed = (connection.subscriptions ?? []).filter((one) => one.binding);
  const seen = new Set(listed.map((one) => one.binding));
  const rest = [...bindings.values()].filter((one) => !seen.has(one.name));
  return [
    ...listed.map((one) => row(sick, connection, bindings.get(one.binding) ?? {}, one)),
    ...rest.map((one) => row(sick, connection, one, { name: one.name })),
  ];
}

function row(sick, connection, binding, subscription) {
  const told = subscription.state ?? binding.state ?? binding.phase ?? "UNKNOWN";
  const state = told === "LIVE" ? binding.phase ?? told : told;
  const silent = sick.get(`subscription ${connection.source}/${binding.name}`);
  const live = state === "LIVE" && silent === undefined;
  // Live by its last word, and yet its data does not come as often as it should.
  const judged = state === "LIVE" && !live ? { state: "SILENT", detail: silent } : { state };
  return {
    key: `${connection.source}/${subscription.name}`,
    live,
    bad: !live,
    reason: state === "LIVE" ? "" : subscription.reason,
    detail: state === "LIVE" ? "" : subscription.detail,
    ...judged,
    ageMs: binding.age_ms,
    records: subscription.records,
    bid: binding.top?.bid,
    ask: binding.top?.ask,
    value: binding.value,
    gaps: subscription.gaps,
    lost: subscription.lost,
  };
}

function missing(feed, status) {
  // An order connection carries no subscription; its account tells how it is.
  const orders = Object.hasOwn(status.orders?.accounts ?? {}, feed.source);
  const fallback = orders ? [] : [`all of ${feed.name}`];
  return (feed.bindings ?? fallback).map((name) => ({
    key: `${feed.source}/${name}`,
    live: false,
    bad: true,
    state: "NOT CONNECTED",
    detail: feed.trouble,
  }));
}

function counts(connection) {
  if (!connection) return {};
  const { frames, discarded, bindings } = connection;
  return { frames, discarded, bindings: bindings?.length };
}

function phaseTroubles({ phase, flow, kafka, ...status }) {
  const why = unwell(status).get("worker");
  if (phase !== "running") return [[`worker is ${phase}`, why ?? ""]];
  if (flow === "FLOWING") return [];
  return [[`Kafka is slow: ${flow}`, `${bytes(kafka?.outstanding_bytes)} wait`]];
}

// What the tables below do not show: threads, producers, logs that are being read.
function partTroubles(status) {
  const parts = status.phase === "running" ? [...unwell(status)] : [];
  return parts.filter(([name]) => !SHOWN_ELSEWHERE.test(name));
}

function unconnected(feed) {
  return ["connection down", `${place(feed)}: ${feed.trouble}`];
}

function untradable(one) {
  if (!one.ready) return ["account not connected", one.key];
  const reason = one.reason ? `: ${one.reason}` : "";
  return [`account ${one.trading}`, `${one.key} is ${one.trading}${reason}`];
}

function unsettled(one) {
  const told = `${one.key}: ${one.doubts} in doubt, ${one.reading} partitions reading`;
  return [one.doubts ? "commands in doubt" : "commands not caught up", told];
}

function notLive(broken, total) {
  const named = broken.slice(0, NAMED).map((one) => clean(`${one.key} ${why(one)}`));
  const left = broken.length - named.length;
  const more = left > 0 ? ` and ${left} more` : "";
  return `${broken.length} of ${total} subscriptions not live: ${named.join(", ")}${more}`;
}

function allLive(total) {
  return total ? `All ${total} subscriptions live` : "No subscription runs here";
}

export function why(one) {
  return one.reason ? `${one.state} ${one.reason}` : one.state;
}

function place(one) {
  return `${one.source}/${one.name}`;
}
