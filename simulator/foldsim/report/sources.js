// Provenance of the rows, the constants with the largest share of power, and the column dictionary.
"use strict";

function showSources() {
  const origin = page.meta.provenance;
  const command = (origin.arguments || []).map((a) => (/^[\w@%+=:,./-]+$/.test(a) ? a : `'${a.replace(/'/g, "'\\''")}'`)).join(" ");
  const lines = element("p");
  fill(lines, ["Rows from ", [`foldsim ${shown(origin.foldsim_version || "?")}`], ", command ",
    `foldsim ${shown(command)}`, `. Numbers on this page are rounded to ${page.meta.significant_digits} significant digits, except integers.`]);
  const body = element("tbody");
  for (const input of origin.inputs || []) {
    const line = element("tr");
    line.append(element("td", shown(input.kind)), element("th", shown(input.name), { scope: "row" }),
      element("td", shown(input.file)), element("td", shown(input.sha256), { class: "hash" }));
    body.append(line);
  }
  const table = element("table");
  table.append(headRow(["Input", "Name", "File", "SHA-256"]), body);
  const scroll = element("div", "", { class: "scroll", role: "region", tabindex: "0", "aria-label": "Inputs" });
  scroll.append(table);
  byId("origin").replaceChildren(lines, scroll);
  const words = element("tbody");
  for (const column of page.columns.values()) {
    const line = element("tr");
    line.append(element("th", shown(column.name), { scope: "row" }), element("td", shown(column.label)),
      element("td", column.unit), element("td", column.meaning, { class: "prose" }));
    words.append(line);
  }
  byId("glossary").replaceChildren(headRow(["Column", "Label", "Unit", "Meaning"]), words);
}

function showConstants(row) {
  const name = at("profile", row);
  const note = page.meta.profiles.find((p) => p.name === name) || {};
  const box = byId("constants");
  if (box.dataset.profile === name) return;
  box.dataset.profile = name;
  const title = element("h3", `Constants of ${shown(name)} with the largest share of power`);
  if (!note.constants) {
    box.replaceChildren(title, element("p", `Not available: ${shown(note.problem || "profile not found")}.`));
    return;
  }
  const why = element("p", `Share of the average power of ${shown(note.constants_of)} that is proportional to each constant, mean over this sweep's designs`
    + " on this profile, and the change of that power over the constant's range. Constants that multiply each other each count the product."
    + (note.constants_left > 0 ? ` ${note.constants_left} more have smaller shares.` : ""), { class: "quiet" });
  const body = element("tbody");
  for (const constant of note.constants) {
    const line = element("tr");
    const source = element("td", "", { class: "prose" });
    source.append(element("span", shown(constant.kind), { class: `kind kind-${constant.kind === "assumption" ? "assumed" : "sourced"}` }),
      ` ${shown(constant.source)}`);
    if (constant.where) source.append(element("span", ` ${shown(constant.where)}`, { class: "where" }));
    line.append(element("th", shown(constant.name), { scope: "row", title: shown(constant.note) }),
      element("td", `${number(constant.value)} ${constant.unit}`), element("td", range(constant.low, constant.high)),
      element("td", percent(constant.share)), element("td", `${percent(constant.down)} to +${percent(constant.up)}`), source);
    body.append(line);
  }
  const table = element("table");
  table.append(headRow(["Constant", "Value", "Range", "Share of power", "Change over range", "Source"]), body);
  const scroll = element("div", "", { class: "scroll cards", role: "region", tabindex: "0", "aria-label": "Constants" });
  scroll.append(table);
  for (const cells of table.tBodies[0].rows) [...cells.cells].forEach((cell, i) => { cell.dataset.label = table.tHead.rows[0].cells[i].textContent; });
  const parts = [title, why, scroll];
  if (note.summary) parts.push(element("p", shown(note.summary), { class: "quiet" }));
  box.replaceChildren(...parts);
}
