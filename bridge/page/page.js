// The page: hears the state once a second, shows it, and says when it is old.

import { Board } from "./board.js";
import { duration, parse } from "./exact.js";
import { setText } from "./table.js";

const SILENT_MS = 5_000; // a worker tells its state every second
const RETRY_MS = 2_000;
const LOST = "Connection lost, retrying";

const at = (id) => document.getElementById(id);
const board = new Board();
let source = null;
let triedMs = 0;
let heardMs = null;
let told = "";
let fault = "";

function connect() {
  const mine = new EventSource("events");
  source = mine;
  triedMs = Date.now();
  mine.addEventListener("status", (event) => hear(event.data));
  mine.addEventListener("error", () => lose(mine));
}

function hear(data) {
  try {
    const status = parse(data);
    const nowMs = Date.now();
    told = board.show(status, nowMs);
    heardMs = nowMs;
    fault = "";
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    fault = "The worker sent what is no JSON";
  }
  showAge();
}

// Begins anew: the browser's own retry ends for good at the first error page.
function lose(mine) {
  if (mine !== source) return;
  mine.close();
  source = null;
  fault = LOST;
  showAge();
  setTimeout(connect, RETRY_MS);
}

function watch() {
  const newest = Math.max(heardMs ?? 0, triedMs);
  if (source !== null && Date.now() - newest > SILENT_MS) lose(source);
  showAge();
}

function showAge() {
  const ageMs = heardMs === null ? null : Date.now() - heardMs;
  const trouble = fault || (ageMs > SILENT_MS ? LOST : "");
  document.body.classList.toggle("lost", trouble !== "");
  at("banner").hidden = trouble === "";
  setText(at("banner"), `${trouble}. ${aged(ageMs)}.`);
  setText(at("age"), ageMs === null ? "" : `state of ${duration(ageMs)} ago`);
  setText(at("summary"), summed(trouble));
}

function aged(ageMs) {
  if (ageMs === null) return "Nothing has been heard yet";
  return `What is shown is ${duration(ageMs)} old`;
}

// Holds no seconds: a screen reader speaks it whenever it changes.
function summed(trouble) {
  if (!told) return trouble ? "No news from the worker." : "Waiting for the first state.";
  return trouble ? `No news from the worker. Last known: ${told}` : told;
}

connect();
setInterval(watch, 1_000);
