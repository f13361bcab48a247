// The charts, drawn by Plotly from the rows around the selected design.
"use strict";

const SYMBOLS = ["circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "star", "pentagon"];
const MEMORY_PARTS = [["weights_bytes", "weights"], ["state_bytes", "state"], ["activation_peak_bytes", "peak activations"]];
const CLOUD_POINTS = 1500;
const CROWDED = 12; // points of a series above which its marks are small
const BAR_ROOM = 1.35; // length of the axis over the longest bar, to leave space for the total
const charts = [];

function buildCharts() {
  const list = [
    ["power", "Average power against chunk size", powerChart],
    ["saving", "Saving from folding against chunk size", savingChart],
    ["latency", "Compute latency against chunk size", latencyChart],
    ["breakdown", "Power by part at the selected chunk", breakdownChart],
    ["memory", "Memory by content at the selected chunk", memoryChart],
    ["tradeoff", "Power against delay and memory", tradeoffChart],
  ];
  for (const [name, title, make] of list) {
    const home = make === breakdownChart || make === memoryChart ? "picked-charts" : "charts";
    const figure = element("figure", "", { id: `chart-${name}` });
    const plot = element("div", "", { class: "plot", role: "img", "aria-labelledby": `title-${name} caption-${name}` });
    const caption = element("figcaption", "", { id: `caption-${name}` });
    figure.append(element("h3", title, { id: `title-${name}` }), plot, caption);
    byId(home).append(figure);
    charts.push({ plot, caption, make });
  }
  page.listeners.push(drawCharts);
  const again = () => drawCharts(page.picked);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  for (const when of ["beforeprint", "afterprint"]) {
    window.addEventListener(when, () => {
      document.documentElement.toggleAttribute("data-printing", when === "beforeprint"); // paper is light and narrow
      again();
    });
  }
  let waiting = 0;
  window.addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(again, 150);
  });
  again();
}

const PAPER_WIDTH = 330;
const plotWidth = (plot) => (document.documentElement.hasAttribute("data-printing") ? PAPER_WIDTH : plot.clientWidth);

function drawCharts(row) {
  for (const chart of charts) {
    const { data, layout, caption } = chart.make(row);
    chart.caption.textContent = caption;
    Plotly.react(chart.plot, data, { ...common(plotWidth(chart.plot)), ...layout }, { displayModeBar: false, responsive: false });
    if (!chart.listens) {
      chart.plot.on("plotly_click", (event) => {
        const hit = event.points.find((point) => typeof point.customdata === "number");
        if (hit) pick(keepingFolding(hit.customdata));
      });
      chart.listens = true;
    }
  }
}

// ---- style ----

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const series = (index) => colour(`series-${index % 8}`);
const faint = (hex, alpha) => `rgba(${[1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)).join(",")},${alpha})`;

function common(width) {
  const text = colour("text");
  return {
    width,
    height: 320,
    margin: { l: 58, r: 14, t: 8, b: 44 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 12, color: text },
    dragmode: false,
    hovermode: "closest",
    hoverlabel: { bgcolor: colour("panel"), bordercolor: colour("line"), font: { color: text, size: 12 }, align: "left", namelength: -1 },
    legend: { orientation: "h", traceorder: "normal", x: 0, y: 1.02, yanchor: "bottom", xanchor: "left", font: { size: 12 } },
  };
}

function axis(title, more = {}) {
  return { title: { text: title, standoff: 6 }, fixedrange: true, gridcolor: colour("grid"), linecolor: colour("line"), zeroline: false,
    ticks: "outside", tickcolor: colour("line"), automargin: true, ...more };
}

// A logarithmic axis with ticks at as many chunk sizes as there is space for.
function chunkAxis(rows) {
  const sizes = [...new Set(rows.map((r) => at("chunk_ms", r)))].sort((a, b) => a - b);
  const kept = [];
  const gap = sizes.length > 1 ? Math.log(sizes[sizes.length - 1] / sizes[0]) / 7 : 0;
  for (const size of sizes) if (!kept.length || Math.log(size / kept[kept.length - 1]) >= 0.95 * gap) kept.push(size);
  const [first, last] = [Math.log10(sizes[0]), Math.log10(sizes[sizes.length - 1])];
  const room = Math.max(0.04, 0.05 * (last - first));
  return axis(axisLabel("chunk_ms"), { type: "log", tickvals: kept, ticktext: kept.map(String), range: [first - room, last + room] });
}

// A logarithmic axis with ticks at 1, 2 and 5 times powers of ten.
function levelAxis(title, values, more = 0.06) {
  const good = values.filter((v) => v > 0);
  const [low, high] = extent(good).map(Math.log10);
  const room = Math.max(0.05, more * (high - low));
  const steps = high - low > 2.5 ? [1] : high - low > 0.6 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 8];
  const marks = [];
  for (let power = Math.floor(low) - 1; power <= Math.ceil(high); power += 1) for (const step of steps) marks.push(step * 10 ** power);
  return axis(title, { type: "log", tickvals: marks, ticktext: marks.map((v) => number(v, 2)), range: [low - room, high + room] });
}

function pickedLine(row, rows) {
  const x = at("chunk_ms", row);
  return rows.length > 1 ? [{ type: "line", xref: "x", yref: "paper", x0: x, x1: x, y0: 0, y1: 1, line: { color: colour("quiet"), width: 1, dash: "dot" }, layer: "below" }] : [];
}

// Marks of problems: a cross for not in real time, hollow for does not fit.
const markOf = (r, symbol) => (at("realtime", r) ? symbol + (at("fits", r) ? "" : "-open") : "x" + (at("fits", r) ? "" : "-open"));

function marks(rows, index, size = rows.length > CROWDED ? 5 : 8) {
  return { symbol: rows.map((r) => markOf(r, SYMBOLS[index % 8])), color: series(index), size, line: { color: series(index), width: 1.5 } };
}

function problemMarks(rows) {
  const found = [];
  if (rows.some((r) => !at("realtime", r))) found.push("cross: not in real time");
  if (rows.some((r) => !at("fits", r))) found.push("hollow: does not fit");
  return found.length ? ` Marks: ${found.join("; ")}.` : "";
}

// ---- rows of the charts ----

// One series per folding among the rows around the selected design.
function seriesAround(row, free) {
  const extra = FOLDING.slice(1).filter((name) => page.axes.some((a) => a.name === name));
  const groups = new Map();
  for (const r of rowsLike(row, [...free, ...FOLDING])) {
    const key = JSON.stringify([at("fold_factor", r), ...extra.map((name) => at(name, r))]);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(r);
  }
  const list = [...groups.values()].sort((a, b) => at("fold_factor", a[0]) - at("fold_factor", b[0]));
  return list.map((rows, index) => {
    const more = isFolded(rows[0]) && extra.length ? `, ${extra.map((name) => at(name, rows[0])).join(", ")}` : "";
    return { rows: bySorted(rows, "chunk_ms"), label: shown(foldLabel(at("fold_factor", rows[0])) + more), index: isFolded(rows[0]) ? Math.max(1, index) : 0 };
  });
}

const allRows = (list) => list.flatMap((s) => s.rows);
const values = (rows, name, scale = 1) => rows.map((r) => (at(name, r) === null ? null : at(name, r) * scale));

function hover(r, lines) {
  return [`<b>${chartText(at("profile", r), 40)}</b>, ${at("chunk_ms", r)} ms`, ...lines, ...(at("realtime", r) ? [] : ["not in real time"]), ...(at("fits", r) ? [] : ["does not fit"])].join("<br>");
}

function line(s, name, scale, lines, more = {}) {
  return { type: "scatter", mode: "lines+markers", name: chartText(s.label, 40), x: values(s.rows, "chunk_ms"), y: values(s.rows, name, scale),
    line: { color: series(s.index), width: 2 }, marker: marks(s.rows, s.index), customdata: s.rows,
    hovertext: s.rows.map((r) => hover(r, [chartText(s.label, 40), ...lines(r)])), hovertemplate: "%{hovertext}<extra></extra>", ...more };
}

function band(s, low, high, scale = 1) {
  const edge = { type: "scatter", mode: "lines", x: values(s.rows, "chunk_ms"), line: { color: faint(series(s.index), 0.45), width: 0.7 }, hoverinfo: "skip", showlegend: false };
  return [{ ...edge, y: values(s.rows, low, scale) }, { ...edge, y: values(s.rows, high, scale), fill: "tonexty", fillcolor: faint(series(s.index), 0.14) }];
}

// ---- the charts ----

function powerChart(row) {
  const list = seriesAround(row, ["chunk_ms"]);
  const rows = allRows(list);
  const data = list.flatMap((s) => band(s, "power_low_mw", "power_high_mw")).concat(list.map((s) => line(s, "power_mw", 1, (r) => [
    `${number(at("power_mw", r))} mW`, `range ${range(at("power_low_mw", r), at("power_high_mw", r))} mW`,
    ...(isFolded(r) ? [`saves ${percent(at("power_saving_ratio", r))} (${savingBand(r)})`] : [])])));
  const seen = ["power_mw", "power_low_mw", "power_high_mw"].flatMap((name) => values(rows, name));
  return { data, layout: { xaxis: chunkAxis(rows), yaxis: levelAxis(axisLabel("power_mw"), seen), shapes: pickedLine(row, rows) },
    caption: `Shaded: from all coefficients of the profile at their low ends to all at their high ends.${problemMarks(rows)}` };
}

function savingChart(row) {
  const list = seriesAround(row, ["chunk_ms"]).filter((s) => isFolded(s.rows[0]));
  if (!list.length) {
    return { data: [], layout: { xaxis: { visible: false }, yaxis: { visible: false } }, caption: "This sweep has no folded design of this kind." };
  }
  const rows = allRows(list);
  const data = list.flatMap((s) => band(s, "power_saving_low_ratio", "power_saving_high_ratio", 100)).concat(
    list.map((s) => line(s, "power_saving_ratio", 100, (r) => [`saves ${percent(at("power_saving_ratio", r))} of the power`, `range ${savingBand(r)}`,
      `saves ${percent(at("memory_saving_ratio", r))} of the memory`])),
    list.map((s) => line(s, "memory_saving_ratio", 100, (r) => [`saves ${percent(at("memory_saving_ratio", r))} of the memory`], {
      mode: "lines", name: list.length > 1 ? `memory, N = ${at("fold_factor", s.rows[0])}` : "memory", line: { color: series(s.index), width: 2, dash: "dot" } })));
  data.filter((trace) => trace.marker && trace.mode !== "lines").forEach((trace) => { trace.name = list.length > 1 ? `power, ${trace.name}` : "power"; });
  const seen = ["power_saving_ratio", "power_saving_low_ratio", "power_saving_high_ratio", "memory_saving_ratio"].flatMap((name) => values(rows, name, 100));
  const [low, high] = extent([0, 1, ...seen]);
  const zero = { type: "line", xref: "paper", yref: "y", x0: 0, x1: 1, y0: 0, y1: 0, line: { color: colour("quiet"), width: 1 } };
  return { data, layout: { xaxis: chunkAxis(rows), yaxis: axis("Saving against the baseline [%]", { range: [low - (low < 0 ? 1 : 0), 1.08 * high] }), shapes: [zero, ...pickedLine(row, rows)] },
    caption: `Shaded: saving over the ranges of the coefficients; both designs use the same chip, so most of the uncertainty cancels.${problemMarks(rows)}` };
}

function latencyChart(row) {
  const list = seriesAround(row, ["chunk_ms"]);
  const rows = allRows(list);
  const x = [...new Set(values(rows, "chunk_ms"))].sort((a, b) => a - b);
  const ends = [0.8 * x[0], 1.25 * x[x.length - 1]];
  const limit = { type: "scatter", mode: "lines", name: "real-time limit: latency = chunk", x: ends, y: ends, line: { color: colour("bad"), width: 1.5, dash: "dash" }, hoverinfo: "skip" };
  const data = [...list.map((s) => line(s, "latency_ms", 1, (r) => [`latency ${number(at("latency_ms", r))} ms`, `real-time factor ${number(at("rtf", r))}`,
    `limited by ${chartText(limitText(r), 40)}`, `user-perceived latency ${number(at("user_perceived_latency_ms", r))} ms`])), limit];
  return { data, layout: { xaxis: chunkAxis(rows), yaxis: levelAxis(axisLabel("latency_ms"), [...values(rows, "latency_ms"), x[0], x[x.length - 1]]), shapes: pickedLine(row, rows) },
    caption: `Above the dashed line a design is slower than the audio.${problemMarks(rows)}` };
}

// A stacked bar per folding; shares are written in parts that are wide enough.
function stacked(list, parts, unit, most) {
  const room = (plotWidth(byId("picked-charts").querySelector(".plot")) - 150) / (BAR_ROOM * most);
  const names = list.map((s) => chartText(s.label, 24));
  return parts.map(([label, value, share], index) => ({
    type: "bar", orientation: "h", name: label, y: names, x: list.map((s) => value(s.rows[0])), customdata: list.map((s) => s.rows[0]),
    marker: { color: colour(`part-${index}`), line: { color: colour("panel"), width: 1 } },
    text: list.map((s) => (value(s.rows[0]) * room > 38 ? percent(share(s.rows[0])) : "")), textposition: "inside", insidetextanchor: "middle", textangle: 0,
    insidetextfont: { color: colour(`part-text-${index}`), size: 12 }, constraintext: "none",
    hovertext: list.map((s) => `<b>${chartText(s.label, 40)}</b><br>${label}: ${number(value(s.rows[0]))} ${unit} (${percent(share(s.rows[0]))})`),
    hovertemplate: "%{hovertext}<extra></extra>",
  }));
}

function totals(list, value, unit) {
  return list.map((s) => ({ x: value(s.rows[0]), y: chartText(s.label, 24), text: `${number(value(s.rows[0]))} ${unit}`, showarrow: false, xanchor: "left", xshift: 4, font: { size: 12 } }));
}

function barLayout(list, title, value, unit) {
  const most = extent(list.map((s) => value(s.rows[0])))[1];
  const narrow = plotWidth(byId("picked-charts").querySelector(".plot")) < 420;
  return { barmode: "stack", bargap: 0.3, height: (narrow ? 170 : 120) + 40 * list.length, xaxis: axis(title, { range: [0, BAR_ROOM * most], nticks: 6 }),
    yaxis: axis("", { autorange: "reversed", type: "category", ticks: "", gridcolor: "rgba(0,0,0,0)" }),
    annotations: totals(list, value, unit) };
}

function breakdownChart(row) {
  const list = seriesAround(row, []);
  const parts = PARTS.map(([name, label]) => [label, (r) => at(name, r), (r) => at(name, r) / at("power_mw", r)]);
  const listed = list.map((s) => `${s.label}: ${range(at("power_low_mw", s.rows[0]), at("power_high_mw", s.rows[0]))} mW`).join("; ");
  return { data: stacked(list, parts, "mW", extent(list.map((s) => at("power_mw", s.rows[0])))[1]), layout: barLayout(list, axisLabel("power_mw"), (r) => at("power_mw", r), "mW"), caption: `Ranges: ${listed}.` };
}

function memoryChart(row) {
  const list = seriesAround(row, []);
  const runtime = (r) => Math.max(0, at("memory_bytes", r) - placedBytes(r));
  const parts = [...MEMORY_PARTS.map(([name, label]) => [label, (r) => at(name, r)]), ["runtime", runtime]]
    .map(([label, bytes]) => [label, (r) => bytes(r) / BYTES_PER_MB, (r) => bytes(r) / at("memory_bytes", r)]);
  const listed = list.map((s) => `${s.label}: ${megabytes(at("onchip_bytes", s.rows[0]))}`).join("; ");
  return { data: stacked(list, parts, "MB", extent(list.map((s) => at("memory_bytes", s.rows[0])))[1] / BYTES_PER_MB), layout: barLayout(list, "Memory [MB]", (r) => at("memory_bytes", r) / BYTES_PER_MB, "MB"),
    caption: `On chip: ${listed}.` };
}

function front(rows) {
  const kept = [];
  let best = Infinity;
  for (const r of bySorted(rows.filter((q) => at("realtime", q) && at("fits", q)), "user_perceived_latency_ms")) {
    if (at("power_mw", r) < best) {
      best = at("power_mw", r);
      kept.push(r);
    }
  }
  return kept;
}

function tradeoffChart(row) {
  const list = seriesAround(row, ["chunk_ms"]);
  const rows = allRows(list);
  const drawn = new Set(rows);
  const own = rowsLike(row, page.axes.map((a) => a.name).filter((name) => name !== "workload" && name !== "profile"));
  const other = own.filter((r) => !drawn.has(r));
  const step = Math.ceil(other.length / CLOUD_POINTS) || 1;
  const cloud = other.filter((_, i) => i % step === 0);
  const every = [...rows, ...cloud];
  const most = extent(values(every, "memory_bytes"))[1];
  const scale = list[0].rows.length > CROWDED ? 0.5 : 1;
  const size = (r) => scale * (5 + (11 * at("memory_bytes", r)) / most);
  const lines = (r) => [`${number(at("power_mw", r))} mW (${range(at("power_low_mw", r), at("power_high_mw", r))})`, `user-perceived latency ${number(at("user_perceived_latency_ms", r))} ms`, `memory ${megabytes(at("memory_bytes", r))}`];
  const named = list[list.length - 1].rows;
  const labelled = (some) => some === named && some.length <= 8;
  const points = (some, index, name) => ({ type: "scatter", mode: labelled(some) ? "markers+text" : "markers", name,
    text: labelled(some) ? some.map((r) => `${at("chunk_ms", r)} ms`) : [], textposition: "bottom left", cliponaxis: false, textfont: { size: 11, color: colour("quiet") }, x: values(some, "user_perceived_latency_ms"), y: values(some, "power_mw"), customdata: some,
    marker: { ...marks(some, index), size: some.map(size), opacity: 0.85 }, hovertext: some.map((r) => hover(r, [foldLabel(at("fold_factor", r)), ...lines(r)])), hovertemplate: "%{hovertext}<extra></extra>" });
  const grey = { ...points(cloud, 7, "other settings"), marker: { color: colour("quiet"), size: 4, opacity: 0.4 } };
  const best = front(own);
  const data = [...(cloud.length ? [grey] : []), ...list.map((s) => points(s.rows, s.index, chartText(s.label, 40))),
    { type: "scatter", mode: "lines", name: "Pareto front: power and delay", x: values(best, "user_perceived_latency_ms"), y: values(best, "power_mw"), line: { color: colour("front"), width: 1.5, shape: "hv" }, hoverinfo: "skip" },
    { type: "scatter", mode: "markers", name: "selected", x: [at("user_perceived_latency_ms", row)], y: [at("power_mw", row)], marker: { symbol: "circle-open", size: 24, color: colour("text"), line: { width: 2 } }, hoverinfo: "skip" }];
  const thinned = step > 1 ? ` One in ${step} of the other settings is drawn.` : "";
  return { data, layout: { xaxis: levelAxis(axisLabel("user_perceived_latency_ms"), values(every, "user_perceived_latency_ms"), plotWidth(byId("charts").querySelector(".plot")) < 420 ? 0.22 : 0.13), yaxis: levelAxis(axisLabel("power_mw"), values(every, "power_mw"), 0.13), height: 400 },
    caption: `Larger marks need more memory. The stepped line is the Pareto front among designs that run in real time and fit.${thinned}${problemMarks(rows)}` };
}
