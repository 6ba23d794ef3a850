// The whole state on the page, from the sentence at the top to the last table.

import { clean } from "./exact.js";
import { columns } from "./columns.js";
import * as judge from "./judge.js";
import { Rates } from "./rates.js";
import { Table, setText } from "./table.js";

const MOST_ROWS = 1_000;
const MOST_TROUBLES = 8;
const CALM_MS = 10_000; // between two drawings, for those who asked for less motion

const at = (id) => document.getElementById(id);

// Draws the lines of a minute; less often where less motion was asked for.
class Pace {
  #calm = matchMedia("(prefers-reduced-motion: reduce)");
  #rates = new Rates();
  #nowMs = 0;
  #drawnMs = -Infinity;
  #drawing = true;

  note(counters, nowMs) {
    for (const [key, value] of counters) this.#rates.note(key, nowMs, value);
    this.#rates.keep(new Set(counters.map(([key]) => key)));
    this.#nowMs = nowMs;
    this.#drawing = !this.#calm.matches || nowMs - this.#drawnMs >= CALM_MS;
    if (this.#drawing) this.#drawnMs = nowMs;
  }

  recent(key) {
    return this.#rates.recent(key);
  }

  // Returns the points of a line, or null where it shall stay as it is.
  points(key) {
    return this.#drawing ? this.#rates.points(key, this.#nowMs) : null;
  }
}

export class Board {
  #pace = new Pace();
  #tables = new Map();

  constructor() {
    for (const [name, list] of Object.entries(columns(this.#pace))) {
      this.#tables.set(name, new Table(at(name), list));
    }
  }

  // Shows one state, and returns the sentence that sums it up.
  show(status, nowMs) {
    const rows = judge.subscriptions(status);
    const links = judge.connections(status);
    const records = rows.map((row) => [row.key, row.records]);
    const frames = links.map((row) => [row.frameKey, row.frames]);
    this.#pace.note([...records, ...frames], nowMs);
    this.#fill("subscriptions", rows.slice(0, MOST_ROWS));
    at("hidden-rows").hidden = rows.length <= MOST_ROWS;
    setText(at("hidden-rows"), `${rows.length - MOST_ROWS} more are not shown.`);
    this.#fill("connections", links);
    this.#fill("kafka", judge.kafka(status));
    this.#fill("ownership", judge.shares(status));
    this.#trading(status);
    return top(status, rows);
  }

  #fill(name, rows) {
    this.#tables.get(name).show(rows);
  }

  #trading(status) {
    const commands = judge.commands(status);
    at("trading").hidden = !status.orders;
    at("commands").hidden = commands.length === 0;
    this.#fill("accounts", judge.accounts(status));
    this.#fill("topics", judge.topics(status));
    this.#fill("commands", commands);
  }
}

function top(status, rows) {
  const wrong = judge.troubles(status);
  const broken = rows.filter((row) => row.bad);
  const bad = wrong.length + broken.length > 0;
  at("top").classList.toggle("bad", bad);
  setText(at("worker"), `worker ${clean(status.worker)}, ${clean(status.phase)}`);
  document.title = `${bad ? "✗" : "✓"} feedbridge ${clean(status.worker)}`;
  const why = broken.filter((row) => row.detail).map((row) => [row.key, row.detail]);
  list([...wrong, ...why].map(([what, detail]) => `${clean(what)}: ${clean(detail)}`));
  return judge.headline(rows, wrong);
}

function list(texts) {
  const shown = texts.slice(0, MOST_TROUBLES);
  if (texts.length > shown.length) shown.push(`and ${texts.length - shown.length} more, below`);
  const node = at("troubles");
  node.hidden = shown.length === 0;
  while (node.children.length > shown.length) node.lastChild.remove();
  while (node.children.length < shown.length) node.append(document.createElement("li"));
  shown.forEach((one, index) => setText(node.children[index], one));
}
