// The verdict on the selected design, its table of results, and the comparison of hardware profiles.
"use strict";

const PARTS = [
  ["power_compute_mw", "compute"],
  ["power_onchip_mw", "on-chip memory"],
  ["power_dram_mw", "off-chip memory"],
  ["power_static_mw", "static and idle"],
];
const LIMITS = { matrix: "matrix arithmetic", vector: "vector work", dispatch: "the dispatch of kernels" };

function limitText(row) {
  const name = at("bottleneck", row);
  return Object.hasOwn(LIMITS, name) ? LIMITS[name] : `the bandwidth of ${shown(name)}`;
}

function largestPart(row) {
  const [name, label] = PARTS.reduce((a, b) => (at(b[0], row) > at(a[0], row) ? b : a));
  return { label, share: at(name, row) / at("power_mw", row) };
}

// Bytes that are placed in memory levels; the memory of the runtime is not.
const placedBytes = (row) => at("weights_bytes", row) + at("state_bytes", row) + at("activation_peak_bytes", row);
const onchipShare = (row) => Math.min(1, at("onchip_bytes", row) / placedBytes(row));
const whollyOnchip = (row) => at("fits", row) && onchipShare(row) > 1 - 1e-6;

const basePower = (row, base) => (base >= 0 ? at("power_mw", base) : at("power_mw", row) / (1 - at("power_saving_ratio", row)));
const savingBand = (row) => percentRange(at("power_saving_low_ratio", row), at("power_saving_high_ratio", row));

function savingPieces(row) {
  const saving = at("power_saving_ratio", row);
  const certain = at("power_saving_low_ratio", row) > 0 || at("power_saving_high_ratio", row) < 0;
  const pieces = saving >= 0 ? [[`saves ${percent(saving)}`], " of the power"] : [[`increases the power by ${percent(-saving)}`]];
  return [...pieces, ` (saving ${savingBand(row)} over the ranges of the profile's coefficients${certain ? "" : ", so its sign is uncertain"})`];
}

function runsPieces(row, who) {
  const pieces = at("realtime", row)
    ? [`${who} `, ["runs in real time"], ` (real-time factor ${number(at("rtf", row))})`]
    : [`${who} does `, ["not run in real time"], ` (real-time factor ${number(at("rtf", row))}; its power is then energy per second of audio)`];
  return [...pieces, at("fits", row) ? ", " : ", does ", at("fits", row) ? ["fits in memory"] : ["not fit in memory"]];
}

function showVerdict(row) {
  const base = baselineOf(row);
  const where = `On ${shown(at("profile", row))} with chunks of ${at("chunk_ms", row)} ms, `;
  const limit = ["; its time is limited by ", [limitText(row)]];
  if (!isFolded(row)) {
    fill(byId("verdict-text"), [where, "the baseline draws ", [`${number(at("power_mw", row))} mW`],
      ` (${range(at("power_low_mw", row), at("power_high_mw", row))} mW over the ranges of the profile's coefficients); `,
      ...runsPieces(row, "it"), ...limit, "."]);
  } else {
    const other = base >= 0 && at("bottleneck", base) !== at("bottleneck", row) ? ` (the baseline by ${limitText(base)})` : "";
    fill(byId("verdict-text"), [where, `folding ${shown(at("workload", row))} by ${at("fold_factor", row)} `, ...savingPieces(row),
      `, from ${number(basePower(row, base))} mW to ${number(at("power_mw", row))} mW; `, ...runsPieces(row, "the folded design"), ...limit, `${other}.`]);
  }
  showMore(row, base);
  showFacts(row, base);
  showProfileNote(row);
}

function showMore(row, base) {
  const part = largestPart(row);
  const pieces = ["The largest part of its power is ", [part.label], ` (${percent(part.share)}). `];
  const sweep = isFolded(row) ? bySorted(foldedLike(row, ["chunk_ms"]), "chunk_ms") : [];
  if (sweep.length > 1) {
    const best = sweep.reduce((a, b) => (at("power_saving_ratio", b) > at("power_saving_ratio", a) ? b : a));
    const least = sweep.reduce((a, b) => (at("power_saving_ratio", b) < at("power_saving_ratio", a) ? b : a));
    pieces.push("Over the chunk sizes of this sweep this folding saves most at ", [`${at("chunk_ms", best)} ms`],
      ` (${percent(at("power_saving_ratio", best))}) and least at ${at("chunk_ms", least)} ms (${percent(at("power_saving_ratio", least))}).`);
  } else if (!isFolded(row) && rowsLike(row, FOLDING).some(isFolded)) {
    pieces.push("Select a folding to compare with it.");
  } else if (base < 0) {
    pieces.push("The rows do not contain the baseline; its power is calculated from the saving.");
  }
  fill(byId("verdict-more"), pieces);
}

const FACTS = [
  ["Average power", (r) => `${number(at("power_mw", r))} mW`, "power_mw"],
  ["Power range", (r) => `${range(at("power_low_mw", r), at("power_high_mw", r))} mW`, "power_low_mw"],
  ["Largest part of power", (r) => `${largestPart(r).label} (${percent(largestPart(r).share)})`, "power_mw"],
  ["Memory", (r) => megabytes(at("memory_bytes", r)), "memory_bytes"],
  ["Model on chip", (r) => `${megabytes(at("onchip_bytes", r))} (${percent(onchipShare(r))})`, "onchip_bytes"],
  ["Fits", (r) => yesNo(at("fits", r)), "fits"],
  ["Compute latency", (r) => `${number(at("latency_ms", r))} ms`, "latency_ms"],
  ["User-perceived latency", (r) => `${number(at("user_perceived_latency_ms", r))} ms`, "user_perceived_latency_ms"],
  ["Real-time factor", (r) => number(at("rtf", r)), "rtf"],
  ["Real time", (r) => yesNo(at("realtime", r)), "realtime"],
  ["Time is limited by", limitText, "bottleneck"],
];

function headRow(texts) {
  const head = element("thead");
  const row = element("tr");
  row.append(...texts.map((text) => element("th", text, { scope: "col" })));
  head.append(row);
  return head;
}

function showFacts(row, base) {
  const two = isFolded(row) && base >= 0;
  const body = element("tbody");
  for (const [label, value, column] of FACTS) {
    const line = element("tr");
    line.append(element("th", label, { scope: "row", title: columnOf(column).meaning }));
    for (const r of two ? [base, row] : [row]) {
      const text = value(r);
      line.append(element("td", text, text === "NO" ? { class: "bad" } : {}));
    }
    body.append(line);
  }
  const own = foldLabel(at("fold_factor", row));
  byId("facts").replaceChildren(headRow(two ? ["", "baseline", own] : ["", own]), body);
}

function showProfileNote(row) {
  const note = page.meta.profiles.find((p) => p.name === at("profile", row)) || {};
  const pieces = [];
  if (note.title) pieces.push([`${shown(note.name)}`], `: ${shown(note.title)}. Grade ${shown(note.grade)} (A: best sources, D: mostly assumptions).`);
  const sets = [...page.columns.values()].filter((c) => c.group === "set");
  if (sets.length) pieces.push(` Set: ${sets.map((c) => `${shown(c.name)} = ${cellText(c.name, at(c.name, row))}`).join(", ")}.`);
  fill(byId("profile-note"), pieces);
}

// ---- all profiles ----

function showAcross(row) {
  const rows = rowsLike(row, ["profile"]);
  const folded = isFolded(row);
  const chunk = `chunks of ${at("chunk_ms", row)} ms`;
  const inside = rows.filter(whollyOnchip);
  const most = rows.reduce((a, b) => (onchipShare(b) > onchipShare(a) ? b : a));
  const who = folded ? "the folded model" : "the baseline";
  const others = page.rows.profile.map((_, r) => r).filter((r) => isFolded(r) === folded && whollyOnchip(r));
  const late = rows.filter((r) => !at("realtime", r)).map((r) => shown(at("profile", r)));
  const onchip = "in on-chip memory (SRAM, and MRAM or flash on the die)";
  const amount = `${megabytes(at("onchip_bytes", most))} of ${megabytes(placedBytes(most))} on chip. `;
  const pieces = [`With ${chunk}, ${who} `];
  if (inside.length) pieces.push(`fits entirely ${onchip} on `, [inside.map((r) => shown(at("profile", r))).join(", ")], ". ");
  else if (rows.length === 1) pieces.push(["does not fit entirely"], ` ${onchip} of this profile: it has ${amount}`);
  else pieces.push(`fits entirely ${onchip} on `, ["none"], ` of these ${rows.length} profiles; the closest is ${shown(at("profile", most))}, with ${amount}`);
  if (!inside.length) pieces.push(others.length ? `Other designs of this sweep do: ${describe(nearest(others, row), row)}. ` : "No other design of this sweep does. ");
  pieces.push(late.length ? `Not in real time: ${late.join(", ")}.` : "All run in real time.");
  fill(byId("across-text"), pieces);
  const body = element("tbody");
  for (const r of rows) body.append(acrossLine(r, row));
  const head = folded
    ? ["Profile", "Baseline mW", "Folded mW", "Saves", "Range", "Largest saving at", "Latency ms", "Real time", "Fits", "On chip", "Limited by"]
    : ["Profile", "Power mW", "Range mW", "Latency ms", "Real time", "Fits", "On chip", "Limited by"];
  byId("across").replaceChildren(headRow(head), body);
}

// Columns other than profile and chunk in which a design differs from the selected one.
function differences(r, row) {
  const names = new Set([...page.axes.map((axis) => axis.name), "weight_bits"]);
  return [...names].filter((name) => name !== "profile" && name !== "chunk_ms" && at(name, r) !== at(name, row));
}

const nearest = (list, row) => list.reduce((a, b) => (differences(b, row).length < differences(a, row).length ? b : a));
const describe = (r, row) => [`${shown(at("profile", r))} at ${at("chunk_ms", r)} ms`,
  ...differences(r, row).map((name) => (name === "fold_factor" ? foldLabel(at(name, r)) : `${shown(name)} = ${cellText(name, at(name, r))}`))].join(", ");

function goToVerdict() {
  byId("verdict").focus({ preventScroll: true });
  byId("verdict").scrollIntoView({ block: "start" });
}

function acrossLine(r, row) {
  const line = element("tr", "", r === row ? { class: "picked" } : {});
  const head = element("th", "", { scope: "row" });
  const button = element("button", shown(at("profile", r)), { type: "button", class: "link" });
  button.addEventListener("click", () => {
    pick(r);
    goToVerdict();
  });
  head.append(button);
  line.append(head);
  const cells = [];
  if (isFolded(r)) {
    const sweep = foldedLike(r, ["chunk_ms"]);
    const best = sweep.reduce((a, b) => (at("power_saving_ratio", b) > at("power_saving_ratio", a) ? b : a));
    cells.push(number(basePower(r, baselineOf(r))), number(at("power_mw", r)), percent(at("power_saving_ratio", r)), savingBand(r),
      `${at("chunk_ms", best)} ms (${percent(at("power_saving_ratio", best))})`);
  } else {
    cells.push(number(at("power_mw", r)), range(at("power_low_mw", r), at("power_high_mw", r)));
  }
  cells.push(number(at("latency_ms", r)), yesNo(at("realtime", r)), yesNo(at("fits", r)), percent(onchipShare(r)), shown(at("bottleneck", r)));
  for (const text of cells) line.append(element("td", text, text === "NO" ? { class: "bad" } : {}));
  return line;
}
