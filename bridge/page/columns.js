// The tables: for each column its title, what fills a cell, and how it is set.

import { clean, count, decimal, duration, moment, rate } from "./exact.js";
import { sparkline, text, verdict } from "./table.js";

const [number, short, long] = ["number", "number short", "number long"];
const level = (pair) => (pair ? `${decimal(pair[0])} × ${decimal(pair[1])}` : "");
const joined = (...parts) => clean(parts.filter(Boolean).join(": "));
const cleaned = (name) => text((row) => clean(row[name]));
const counted = (name) => text((row) => count(row[name]));
const state = verdict((row) => row.live, (row) => clean(row.state), (row) =>
  row.live ? "" : joined(row.reason, row.detail));
const link = verdict((row) => row.up, (row) => (row.up ? "connected" : "not connected"), (row) =>
  clean(row.trouble));
const trading = verdict((row) => row.trading === "ACTIVE", (row) => clean(row.trading), (row) =>
  clean(row.reason));
const readiness = (row) => (row.ready ? "ready" : "not ready");
const ready = verdict((row) => row.ready, readiness, () => "");
const settled = verdict((row) => !row.bad, (row) => (row.bad ? "unsure" : "sure"), (row) =>
  row.reading ? `${row.reading} partitions are being read` : "");
const outcome = verdict((row) => row.outcome === "DONE", (row) => clean(row.outcome), (row) =>
  joined(row.code, row.text));
const gaps = (row) => count(row.gaps) + (row.lost ? `, ${count(row.lost)} lost` : "");
const outcomes = (row) => Object.entries(row.outcomes ?? {}).map((pair) => pair.join(" "));

// Returns the columns of each table, by the id of its section; `pace` draws figures.
export function columns(pace) {
  const speed = (of) =>
    sparkline((row) => rate(pace.recent(of(row))), (row) => pace.points(of(row)));
  return {
    subscriptions: [
      ["Subscription", cleaned("key")],
      ["State", state, "state"],
      ["Age", text((row) => duration(row.ageMs)), short],
      ["Records, 60 s", speed((row) => row.key), short],
      ["Best bid", text((row) => level(row.bid)), number],
      ["Best ask", text((row) => level(row.ask)), number],
      ["Value", cleaned("value"), long],
      ["Gaps", text(gaps), number],
    ],
    connections: [
      ["Connection", cleaned("key")],
      ["State", link, "state"],
      ["Frames, 60 s", speed((row) => row.frameKey), short],
      ["Frames", counted("frames"), number],
      ["Discarded", counted("discarded"), number],
      ["Bindings", counted("bindings"), number],
      ["Reconnects", counted("reconnects"), number],
    ],
    accounts: [
      ["Account", cleaned("key")],
      ["Trading", trading, "state"],
      ["Connection", ready, "state"],
      ["In flight", counted("in_flight"), number],
      ["Waiting", counted("waiting"), number],
    ],
    topics: [
      ["Command topic", cleaned("key")],
      ["State", settled, "state"],
      ["Partitions", counted("owned"), number],
      ["Open claims", counted("open"), number],
      ["In doubt", counted("doubts"), number],
      ["Unsettled", counted("waits"), number],
      ["Outcomes", text((row) => clean(outcomes(row).join(", ")))],
    ],
    commands: [
      ["Request", cleaned("req_id")],
      ["Outcome", outcome, "state"],
      ["Account", cleaned("account")],
      ["Method", cleaned("method")],
      ["Ended", text((row) => moment(row.at_ms))],
    ],
    kafka: [
      ["What", cleaned("key")],
      ["How much", cleaned("value"), number],
    ],
    ownership: [
      ["Share", cleaned("key")],
      ["Since", text((row) => moment(row.since_ms))],
      ["Subscriptions", counted("bindings"), number],
      ["Connections", text((row) => clean((row.connections ?? []).join(", ")))],
    ],
  };
}
