// Data and state of the page, formats of text and numbers, and functions shared by all parts.
// Names in the data are untrusted: they are inserted as text nodes or, in charts, through chartText().
"use strict";

const byId = (id) => document.getElementById(id);
const page = { meta: null, rows: null, count: 0, axes: [], picked: -1, listeners: [] };

async function inflate(id) {
  const bytes = Uint8Array.from(atob(byId(id).textContent.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

function decodeRows(packed) {
  const rows = {};
  for (const [name, column] of Object.entries(packed.columns)) {
    if (column.kind === "text") rows[name] = column.codes.map((code) => column.texts[code]);
    else if (column.kind === "flag") rows[name] = column.values.map(Boolean);
    else rows[name] = column.values;
  }
  return rows;
}

// ---- text ----

// Control characters and direction marks, which hide or reorder text, are shown as a replacement character.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;
const shown = (value) => String(value).replace(UNSEEN, "\ufffd");

function shortened(text, most) {
  const letters = Array.from(text);
  return letters.length > most ? letters.slice(0, most - 1).join("") + "…" : text;
}

// Escape the tags and entities that Plotly would interpret in labels.
const chartText = (value, most = 60) =>
  shortened(shown(value), most).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

function element(tag, text = "", attributes = {}) {
  const created = document.createElement(tag);
  if (text !== "") created.textContent = text;
  for (const [name, value] of Object.entries(attributes)) created.setAttribute(name, value);
  return created;
}

// Text from pieces; pieces in an array are emphasised.
function fill(target, pieces) {
  target.replaceChildren(
    ...pieces.map((piece) => (Array.isArray(piece) ? element("strong", piece[0]) : document.createTextNode(piece))),
  );
}

// ---- numbers ----

// One formatter per number of decimals, because creating one is slow.
const formatters = [];
function grouped(value, places) {
  formatters[places] ||= new Intl.NumberFormat("en", { maximumFractionDigits: places, minimumFractionDigits: 0 });
  return formatters[places].format(value);
}

function number(value, digits = 3) {
  if (value === null || value === undefined) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e7 || size < 1e-4) return value.toExponential(digits - 1).replace("-", "−");
  const places = Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
  return grouped(value, places).replace("-", "−");
}

function percentDigits(ratio, more = 0) {
  if (Math.abs(ratio) < 5e-4 / 10 ** more) return "0";
  return (100 * ratio).toFixed((Math.abs(ratio) < 0.0995 ? 1 : 0) + more).replace("-", "−");
}

// Ends that differ but round to the same digits get one more digit.
function percentRange(low, high) {
  const more = low !== high && percentDigits(low) === percentDigits(high) ? 1 : 0;
  return `${percentDigits(low, more)} to ${percentDigits(high, more)} %`;
}

function percent(ratio) {
  if (ratio === null) return "–";
  return `${percentDigits(ratio)} %`;
}

const BYTES_PER_MB = 1e6;
const megabytes = (bytes) => `${number(bytes / BYTES_PER_MB)} MB`;
const yesNo = (flag) => (flag ? "yes" : "NO");
const extent = (list) => list.reduce(([low, high], v) => [Math.min(low, v), Math.max(high, v)], [Infinity, -Infinity]);
const range = (low, high) => `${number(low)} to ${number(high)}`;

// ---- columns ----

const columnOf = (name) => page.columns.get(name) || { name, label: name, unit: "", meaning: "", group: "set" };
// A --set path is shortened to its last two words unless that is ambiguous.
function labelOf(name) {
  const column = columnOf(name);
  if (column.group !== "set") return column.label;
  const short = (path) => path.split(".").slice(-2).join(" ");
  const alike = [...page.columns.values()].filter((c) => c.group === "set" && short(c.name) === short(name));
  return shown(alike.length > 1 ? name : short(name));
}
const axisLabel = (name) => {
  const unit = columnOf(name).unit;
  return unit ? `${labelOf(name)} [${unit}]` : labelOf(name);
};

function cellText(name, value) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "boolean") return yesNo(value);
  if (typeof value === "number") {
    if (columnOf(name).group === "design" && Math.abs(value) < 1e7) return String(value);
    if (columnOf(name).unit === "bytes") return grouped(Math.round(value), 0);
    return columnOf(name).unit === "ratio" && name !== "rtf" ? percent(value) : number(value, 4);
  }
  return shown(value);
}

// ---- designs ----

const at = (name, row) => (page.rows[name] === undefined ? null : page.rows[name][row]);
const isFolded = (row) => at("fold_factor", row) > 1;
const foldLabel = (factor) => (factor > 1 ? `folded, N = ${factor}` : "baseline");
// Columns that differ between a baseline and its folded designs.
const FOLDING = ["fold_factor", "fold_scope", "fold_layers", "fold_heads"];

function buildAxes() {
  page.axes = page.meta.axes.map((name) => {
    const found = new Map();
    const codes = page.rows[name].map((value) => {
      if (!found.has(value)) found.set(value, found.size);
      return found.get(value);
    });
    const values = [...found.keys()];
    const order = values.map((_, code) => code);
    if (values.every((v) => typeof v === "number")) order.sort((a, b) => values[a] - values[b]);
    return { name, values, codes, order };
  });
}

// Rows equal to a row on all axes except the free ones.
function rowsLike(row, free) {
  const fixed = page.axes.filter((axis) => !free.includes(axis.name));
  const found = [];
  for (let r = 0; r < page.count; r += 1) {
    if (fixed.every((axis) => axis.codes[r] === axis.codes[row])) found.push(r);
  }
  return found;
}

function baselineOf(row) {
  if (!isFolded(row)) return row;
  const found = rowsLike(row, FOLDING).find((r) => !isFolded(r));
  return found === undefined ? -1 : found;
}

// Folded rows equal to this row on all axes except the free ones.
const foldedLike = (row, free) => rowsLike(row, free).filter(isFolded);

// A baseline selected in a chart selects its chunk and profile; the selected folding is kept if it exists there.
function keepingFolding(row) {
  if (isFolded(row) || !isFolded(page.picked)) return row;
  const found = rowsLike(row, FOLDING).find((r) => FOLDING.every((name) => at(name, r) === at(name, page.picked)));
  return found === undefined ? row : found;
}

function bySorted(rows, name) {
  return [...rows].sort((a, b) => at(name, a) - at(name, b));
}

// ---- selection ----

function pick(row) {
  if (row < 0 || row >= page.count) return;
  page.picked = row;
  page.axes.forEach((axis) => {
    if (axis.select) axis.select.value = String(axis.codes[row]);
  });
  for (const listener of page.listeners) listener(row);
}

// Select the row with a new value on one axis and the most unchanged values on the others.
function pickOn(axis, code) {
  let best = -1;
  let most = -1;
  for (let r = 0; r < page.count; r += 1) {
    if (axis.codes[r] !== code) continue;
    let kept = 0;
    for (const other of page.axes) if (other.codes[r] === other.codes[page.picked]) kept += 1;
    if (kept > most) [best, most] = [r, kept];
  }
  pick(best);
}

function buildPicks() {
  const form = byId("picks");
  form.addEventListener("submit", (event) => event.preventDefault());
  form.toggleAttribute("data-many", page.axes.length > 4);
  page.axes.forEach((axis, index) => {
    const select = element("select", "", { id: `pick-${index}`, "data-column": shown(axis.name) });
    for (const code of axis.order) {
      const value = axis.values[code];
      const text = axis.name === "fold_factor" ? foldLabel(value) : cellText(axis.name, value);
      select.append(element("option", shortened(text, 60), { value: code }));
    }
    select.disabled = axis.values.length < 2;
    select.addEventListener("change", () => pickOn(axis, Number(select.value)));
    axis.select = select;
    const label = element("label", axis.name === "fold_factor" ? "Folding" : axisLabel(axis.name), { for: select.id });
    const box = element("div");
    box.append(label, select);
    form.append(box);
  });
}

function firstPick() {
  const wanted = { chunk_ms: 160, fold_factor: 2 };
  let rows = rowsLike(0, ["chunk_ms", ...FOLDING]);
  for (const [name, value] of Object.entries(wanted)) {
    const exact = rows.filter((r) => at(name, r) === value);
    const folded = name === "fold_factor" ? rows.filter(isFolded) : [];
    rows = exact.length ? exact : folded.length ? folded : rows;
  }
  return rows[0];
}
