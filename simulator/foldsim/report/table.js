// The table of all designs: sorting, filtering, paging, copying to the clipboard.
"use strict";

const PAGE_ROWS = 25;
const MAIN_COLUMNS = ["power_mw", "power_low_mw", "power_high_mw", "power_saving_ratio", "power_saving_low_ratio", "power_saving_high_ratio",
  "latency_ms", "rtf", "realtime", "fits", "bottleneck", "memory_bytes", "onchip_bytes", "user_perceived_latency_ms"];
const table = { rows: [], columns: [], sort: null, down: false, from: 0, texts: [], problems: [] };

function buildTable() {
  byId("filter").addEventListener("input", () => refreshTable(true));
  byId("every-column").addEventListener("change", () => refreshTable(false));
  byId("copy-tsv").addEventListener("click", () => copyRows("\t"));
  byId("copy-csv").addEventListener("click", () => copyRows(","));
  byId("previous").addEventListener("click", () => turn(-PAGE_ROWS));
  byId("next").addEventListener("click", () => turn(PAGE_ROWS));
  page.listeners.push(() => byId("picked-status").replaceChildren());
  refreshTable(true);
}

function refreshTable(fromStart) {
  const known = [...page.columns.keys()];
  table.columns = byId("every-column").checked ? known : [...page.meta.axes, ...MAIN_COLUMNS.filter((name) => known.includes(name))];
  if (table.columns.length !== table.texts.columns) table.texts = Object.assign([], { columns: table.columns.length });
  table.problems = [];
  const tests = readFilter(byId("filter").value);
  table.rows = [];
  for (let r = 0; r < page.count; r += 1) if (tests.every((test) => test(r))) table.rows.push(r);
  if (table.sort) sortRows();
  if (fromStart) table.from = 0;
  showHead();
  showRows();
}

// ---- filter ----

// Words that rows must contain, and comparisons such as power_mw<60.
function readFilter(text) {
  const joined = text.replace(/\s*(<=|>=|!=|=|<|>)\s*/g, "$1").replace(/([<>=][-+]?[\d.]+)\s+%/g, "$1%");
  return joined.trim().split(/\s+/).filter(Boolean).map((word) => {
    const found = /^(.+?)(<=|>=|!=|=|<|>)(.*)$/.exec(word);
    if (found && page.columns.has(found[1])) return comparison(found[1], found[2], found[3]);
    if (found) table.problems.push(`column ${shown(found[1])} not found`); // shown only if no row contains the text
    return occurs(word.toLowerCase());
  });
}

// A number must be a whole word: 80 is in "80" and "npu-80", not in "1280", "1,080" or "80.5".
function occurs(word) {
  if (!/^\d[\d.,]*$/.test(word)) return (r) => textOf(r).includes(word);
  const whole = new RegExp(`(?<![\\w.,−])${word.replace(/\./g, "\\.")}(?!\\w|[.,]\\d)`);
  return (r) => whole.test(textOf(r));
}

// Text of a row, one line per cell, created at the first search.
function textOf(r) {
  table.texts[r] ??= table.columns.map((name) => cellText(name, at(name, r))).join("\n").toLowerCase();
  return table.texts[r];
}

function comparison(name, sign, text) {
  const share = text.endsWith("%") && columnOf(name).unit === "ratio";
  const wanted = share ? Number(text.slice(0, -1)) / 100 : Number(text);
  if (text.endsWith("%") && !share) table.problems.push(`${shown(name)} is not a ratio: compare it without %`);
  return (r) => {
    const value = at(name, r);
    if (text === "") return true; // still being typed
    if (typeof value !== "number") {
      const same = cellText(name, value).toLowerCase() === text.toLowerCase() || String(value) === text.toLowerCase();
      return sign === "!=" ? !same : sign === "=" && same;
    }
    if (Number.isNaN(wanted)) return false;
    if (sign === "=" || sign === "!=") return (Math.abs(value - wanted) <= 1e-6 * Math.abs(wanted)) === (sign === "=");
    return { "<": value < wanted, ">": value > wanted, "<=": value <= wanted, ">=": value >= wanted }[sign];
  };
}

// ---- sort ----

function sortRows() {
  const sign = table.down ? -1 : 1;
  const name = table.sort;
  table.rows.sort((a, b) => {
    const [x, y] = [at(name, a), at(name, b)];
    if (x === null || y === null) return (x === null) - (y === null);
    const order = typeof x === "string" ? x.localeCompare(String(y)) : x - y;
    return sign * order || a - b;
  });
}

function sortBy(name) {
  if (table.sort !== name) [table.sort, table.down] = [name, false];
  else if (!table.down) table.down = true;
  else table.sort = null;
  refreshTable(true);
}

// ---- show ----

function showHead() {
  const head = element("thead");
  const line = element("tr");
  line.append(element("th", "Row", { scope: "col" }));
  for (const name of table.columns) {
    const sorted = table.sort === name;
    const cell = element("th", "", { scope: "col", "aria-sort": sorted ? (table.down ? "descending" : "ascending") : "none" });
    const button = element("button", axisLabel(name) + (sorted ? (table.down ? " ▼" : " ▲") : ""), { type: "button", class: "sort", title: shown(name) });
    button.addEventListener("click", () => {
      sortBy(name);
      const again = [...byId("rows").querySelectorAll("button.sort")].find((b) => b.title === shown(name));
      if (again) again.focus();
    });
    cell.append(button);
    line.append(cell);
  }
  head.append(line);
  byId("rows").replaceChildren(head, element("tbody"));
}

function showRows() {
  const body = element("tbody");
  const visible = table.rows.slice(table.from, table.from + PAGE_ROWS);
  for (const r of visible) {
    const line = element("tr", "", { "data-row": r });
    const first = element("th", "", { scope: "row" });
    const button = element("button", String(r + 1), { type: "button", class: "link", "aria-label": `Select the design of row ${r + 1}` });
    button.addEventListener("click", () => pickInTable(r));
    first.append(button);
    line.append(first);
    for (const name of table.columns) {
      const value = at(name, r);
      const kind = typeof value === "number" ? "number" : value === false ? "bad" : "";
      line.append(element("td", cellText(name, value), kind ? { class: kind } : {}));
    }
    body.append(line);
  }
  byId("rows").tBodies[0].replaceWith(body);
  const last = table.from + visible.length;
  byId("page-number").textContent = visible.length ? `${table.from + 1} to ${last} of ${table.rows.length.toLocaleString("en")}` : "no rows";
  byId("previous").disabled = table.from === 0;
  byId("next").disabled = last >= table.rows.length;
  const problem = table.rows.length ? "" : table.problems.join("; ");
  byId("table-status").textContent = problem || table.rows.length === page.count ? problem : `${table.rows.length.toLocaleString("en")} of ${page.count.toLocaleString("en")} designs`;
  markPickedRow(page.picked);
}

function pickInTable(r) {
  pick(r);
  const link = element("a", "See the verdict", { href: "#verdict" });
  link.addEventListener("click", (event) => {
    event.preventDefault(); // the address keeps the selection
    goToVerdict();
  });
  byId("picked-status").replaceChildren(`Selected: row ${r + 1}, ${shown(at("profile", r))} at ${at("chunk_ms", r)} ms, ${foldLabel(at("fold_factor", r))}. `, link, ".");
}

function turn(by) {
  table.from = Math.max(0, table.from + by);
  showRows();
}

function markPickedRow(row) {
  for (const line of byId("rows").querySelectorAll("tr[data-row]")) line.classList.toggle("picked", Number(line.dataset.row) === row);
}

// ---- copy ----

// Text that a spreadsheet would read as a formula gets a leading apostrophe.
function copyCell(value, separator) {
  let text = value === null ? "" : String(value);
  if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  if (separator === "\t") return text.replace(/[\t\r\n]+/g, " ");
  return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}

// All filtered rows in the order shown, with column names and values as in the result file.
function rowsAsText(separator) {
  const lines = [table.columns, ...table.rows.map((r) => table.columns.map((name) => at(name, r)))];
  return lines.map((line) => line.map((value) => copyCell(value, separator)).join(separator)).join("\n") + "\n";
}

async function copyRows(separator) {
  const text = rowsAsText(separator);
  const amount = `${table.rows.length.toLocaleString("en")} rows of ${table.columns.length} columns`;
  byId("copy-text").hidden = true;
  try {
    await navigator.clipboard.writeText(text);
    byId("table-status").textContent = `Copied ${amount}.`;
  } catch {
    const area = byId("copy-text");
    area.value = text;
    area.hidden = false;
    area.select();
    const copied = document.execCommand && document.execCommand("copy");
    if (copied) area.hidden = true;
    byId("table-status").textContent = copied ? `Copied ${amount}.` : `This browser does not allow copying by the page. ${amount} are selected below: copy them with the keyboard.`;
  }
}
