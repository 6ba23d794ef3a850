// Tables that change only where something changed. Texts enter as text, never as HTML.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 60; // one unit a second
const HEIGHT = 16;

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function make(name, role, parent) {
  const node = document.createElement(name);
  // Roles by name: the narrow layout takes the table's own display away.
  node.setAttribute("role", role);
  parent.append(node);
  return node;
}

// A column is [title, how a row fills its cell, class]; the first names the row.
export class Table {
  #rows = new Map();

  constructor(section, columns) {
    const table = section.querySelector("table");
    table.setAttribute("role", "table");
    this.columns = columns;
    const head = make("tr", "row", make("thead", "rowgroup", table));
    for (const [title, , kind] of columns) {
      const cell = make("th", "columnheader", head);
      cell.scope = "col";
      cell.textContent = title;
      if (kind) cell.className = kind;
    }
    this.body = make("tbody", "rowgroup", table);
  }

  // Shows `rows` in their order; each has a `key` of its own, and `bad` marks it.
  show(rows) {
    const keys = new Set(rows.map((row) => row.key));
    for (const [key, line] of this.#rows) {
      if (!keys.has(key)) {
        line.remove();
        this.#rows.delete(key);
      }
    }
    rows.forEach((row, index) => this.#place(row, index));
  }

  #place(row, index) {
    const line = this.#rows.get(row.key) ?? this.#line(row.key);
    if (this.body.children[index] !== line) {
      this.body.insertBefore(line, this.body.children[index] ?? null);
    }
    line.classList.toggle("bad", Boolean(row.bad));
    this.columns.forEach(([, fill], column) => fill(line.children[column], row));
  }

  #line(key) {
    const line = make("tr", "row", this.body);
    this.columns.forEach(([title, , kind], column) => {
      const head = column === 0;
      const cell = make(head ? "th" : "td", head ? "rowheader" : "cell", line);
      if (head) cell.scope = "row";
      else cell.dataset.label = title;
      if (kind) cell.className = kind;
    });
    this.#rows.set(key, line);
    return line;
  }
}

export function text(of) {
  return (cell, row) => setText(cell, of(row));
}

// A word with a sign before it, so that colour is never the only difference, and why.
export function verdict(good, word, why) {
  return (cell, row) => {
    if (!cell.firstChild) cell.append(span("word"), span("why"));
    const [first, second] = cell.children;
    first.classList.toggle("good", good(row));
    setText(first, `${good(row) ? "✓" : "✗"} ${word(row)}`);
    setText(second, why(row));
  };
}

function span(kind) {
  const node = document.createElement("span");
  node.className = kind;
  return node;
}

// A figure and the line of the last minute beside it.
export function sparkline(of, points) {
  return (cell, row) => {
    if (!cell.firstChild) cell.append(line(), span("figure"));
    const [svg, figure] = cell.children;
    const found = points(row);
    if (found !== null) svg.firstChild.setAttribute("points", drawn(found));
    setText(figure, of(row));
    svg.toggleAttribute("hidden", figure.textContent === "");
    cell.classList.toggle("none", figure.textContent === "");
  };
}

function line() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("width", String(WIDTH * 1.5));
  svg.setAttribute("height", String(HEIGHT));
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS(SVG, "polyline"));
  return svg;
}

function drawn(points) {
  const most = Math.max(1, ...points.map(([, value]) => value));
  const across = ([agoS]) => (WIDTH - agoS).toFixed(1);
  const up = ([, value]) => (HEIGHT - 1 - ((HEIGHT - 2) * value) / most).toFixed(1);
  return points.map((point) => `${across(point)},${up(point)}`).join(" ");
}
