// How fast counters grow: one sample a second of each, for the last minute.

const WINDOW_MS = 60_000;
const RECENT_MS = 10_000;

export class Rates {
  #series = new Map();

  // Notes a counter's value; one that went back belongs to a new connection.
  note(key, atMs, value) {
    if (value === null || value === undefined) return;
    const total = Number(value);
    const series = this.#series.get(key) ?? { last: null, samples: [] };
    this.#series.set(key, series);
    const last = series.last;
    series.last = { atMs, total };
    if (last === null || atMs <= last.atMs) return;
    const grown = total < last.total ? total : total - last.total;
    const perSecond = (grown * 1000) / (atMs - last.atMs);
    series.samples.push({ atMs, perSecond, lengthMs: atMs - last.atMs, grown });
    while (series.samples[0].atMs <= atMs - WINDOW_MS) series.samples.shift();
  }

  // Returns the mean of the last 10 s; null before two samples.
  recent(key) {
    const samples = this.#series.get(key)?.samples ?? [];
    const from = (samples.at(-1)?.atMs ?? 0) - RECENT_MS;
    const late = samples.filter((sample) => sample.atMs > from);
    const grown = late.reduce((sum, sample) => sum + sample.grown, 0);
    const lengthMs = late.reduce((sum, sample) => sum + sample.lengthMs, 0);
    return lengthMs ? (grown * 1000) / lengthMs : null;
  }

  // Returns [seconds ago, per second] of each sample in the window.
  points(key, nowMs) {
    const samples = this.#series.get(key)?.samples ?? [];
    return samples
      .filter((sample) => nowMs - sample.atMs < WINDOW_MS)
      .map((sample) => [(nowMs - sample.atMs) / 1000, sample.perSecond]);
  }

  // Forgets every counter that is not in `keys`.
  keep(keys) {
    for (const key of this.#series.keys()) {
      if (!keys.has(key)) this.#series.delete(key);
    }
  }
}
