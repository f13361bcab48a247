// Unpack the data, build the page, and keep the selected design in the address.
"use strict";

function showSummary() {
  const names = (name) => page.axes.find((axis) => axis.name === name).values.length;
  const count = (many, word) => `${many.toLocaleString("en")} ${word}${many === 1 ? "" : "s"}`;
  byId("summary").textContent = `${count(page.count, "design")}: ${count(names("workload"), "workload")}, `
    + `${count(names("profile"), "hardware profile")}, ${count(names("chunk_ms"), "chunk size")}. `
    + `Created by foldsim ${shown(page.meta.provenance.foldsim_version || "(unknown version)")}; works without a network.`;
}

// The selected design is kept in the address as its row number, e.g. #design-2.
function rowOfAddress() {
  const found = /^#design-(\d+)$/.exec(location.hash);
  const row = found ? Number(found[1]) - 1 : -1;
  return row >= 0 && row < page.count ? row : -1;
}

function keepAddress(row) {
  try {
    history.replaceState(null, "", `#design-${row + 1}`);
  } catch {
    // Some browsers refuse this for pages opened from a file.
  }
}

function fail(message) {
  byId("status").textContent = message;
  byId("status").className = "problem";
}

// The plotting library is unpacked into its own script.
async function loadPlotly() {
  const source = await inflate("report-plotly");
  const script = element("script");
  script.textContent = source;
  document.head.append(script);
  if (typeof window.Plotly !== "object") throw new Error("the plotting library did not start");
}

async function start() {
  if (typeof DecompressionStream !== "function") {
    fail("This browser cannot unpack the page: it lacks DecompressionStream. Chrome or Edge 80, Firefox 113, Safari 16.4 and newer have it.");
    return;
  }
  page.meta = JSON.parse(byId("report-meta").textContent);
  page.columns = new Map(page.meta.columns.map((column) => [column.name, column]));
  const packed = JSON.parse(await inflate("report-rows"));
  page.rows = decodeRows(packed);
  page.count = packed.count;
  buildAxes();
  buildPicks();
  showSummary();
  showSources();
  buildTable();
  page.listeners.push(showVerdict, showAcross, showConstants, keepAddress, markPickedRow);
  byId("status").hidden = true;
  byId("main").hidden = false;
  const address = rowOfAddress();
  pick(address >= 0 ? address : firstPick());
  window.addEventListener("hashchange", () => pick(rowOfAddress()));
  byId("charts-status").textContent = "Unpacking the charts…";
  await new Promise((resolve) => setTimeout(resolve, 0)); // show the page before unpacking the library
  try {
    await loadPlotly();
    buildCharts();
    byId("charts-status").textContent = "";
  } catch (error) {
    byId("charts-status").textContent = `The charts cannot be drawn here (${error.message}); the tables contain the same values.`;
    byId("charts-status").className = "problem";
  }
  document.documentElement.dataset.ready = "yes";
}

start().catch((error) => fail(`The page's data cannot be read (${error.message}).`));
