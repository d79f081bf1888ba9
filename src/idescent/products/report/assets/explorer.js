// The explorer: settings, two synchronous plots, the values at one iteration, and a link that restores this state.

const data = JSON.parse(document.getElementById("data").textContent);
const host = document.getElementById("explorer-tool");
const paths = Object.keys(data.paths);
const models = new Set(paths.map(name => data.paths[name].colour).filter(Boolean));
const MOST_AT_FIRST = 6;
let state, plots = [], shown = null, pending = 0, placing = null, latest = 0, touched = false;

const unique = values => [...new Set(values)];
const among = (value, allowed) => (allowed.includes(value) ? value : allowed[0]);
const field = name => host.querySelector(`[name="${name}"]`);
// Colours distinguish configurations, or models if there is one configuration or there are many models.
const usual = cells => (models.size > 3 || (models.size > 1 && cells.length < 2) ? ["model", "configuration"] : ["configuration", "model"]);
const plotOf = s => data.plots.find(p => p.objective === s.objective && p.optimizer === s.optimizer && String(p.alpha) === s.alpha);
const cellsOf = s => plotOf(s).cells;

// Cells and grids of a plot, decompressed once.
function loaded(plot) {
  plot.loading ??= unpacked(document.getElementById(plot.block)).then(block => Object.assign(plot, block));
  return plot.loading;
}

// Complete a requested state: the first possible value replaces a missing or unknown one.
async function completed(request) {
  const s = { ...request };
  s.objective = among(request.objective, unique(data.plots.map(p => p.objective)));
  s.optimizer = among(request.optimizer, unique(data.plots.filter(p => p.objective === s.objective).map(p => p.optimizer)));
  const group = data.plots.filter(p => p.objective === s.objective && p.optimizer === s.optimizer);
  // An address may have 1e-05 where JavaScript writes 0.00001.
  s.alpha = among(String(Number(request.alpha)), unique(group.map(p => String(p.alpha))));
  await loaded(plotOf(s));
  const cells = cellsOf(s);
  const keys = cells.map(c => c.key), have = paths.filter(name => cells.some(c => c.paths[name]));
  s.configuration = (request.configuration || []).filter(k => keys.includes(k));
  if (!s.configuration.length) s.configuration = keys.slice(0, MOST_AT_FIRST);
  s.path = (request.path || []).filter(p => have.includes(p));
  if (!s.path.length) s.path = have;
  s.quantity = among(request.quantity, Object.keys(cells[0].views));
  s.x = among(request.x, ["k", "t"]);
  s.log = request.log === undefined ? "e" : request.log;
  s.colour = among(request.colour, usual(cells));
  return s;
}

function parsed(hash) {
  const q = new URLSearchParams(hash.slice("#explore?".length));
  const number = name => (q.has(name) && Number.isFinite(Number(q.get(name))) ? Number(q.get(name)) : null);
  const request = { configuration: q.getAll("configuration"), path: q.getAll("path"), at: number("at") };
  for (const name of ["objective", "optimizer", "alpha", "quantity", "x", "log", "colour"]) request[name] = q.get(name) ?? undefined;
  const [from, to] = [number("from"), number("to")];
  request.range = from !== null && to !== null && from < to ? [from, to] : null;
  return request;
}

// Show a requested state, unless a later request has come while its data were loaded.
async function show(request) {
  const turn = ++latest;
  host.setAttribute("aria-busy", "true");
  const next = await completed(request);
  if (turn !== latest) return false;
  state = next;
  fill();
  draw();
  host.removeAttribute("aria-busy");
  return true;
}

function hash() {
  const q = new URLSearchParams();
  for (const name of ["objective", "optimizer", "alpha", "configuration", "path", "quantity", "x", "log", "colour"])
    for (const value of [state[name]].flat()) q.append(name, value);
  if (state.range) { q.set("from", state.range[0]); q.set("to", state.range[1]); }
  if (state.at !== null && state.at !== undefined) q.set("at", state.at);
  return "#explore?" + q;
}

// Store the state in the address, once the reader has used the explorer.
function remember() {
  if (!touched) return;
  clearTimeout(pending);
  pending = setTimeout(() => history.replaceState(null, "", hash()), 150);
}

function options(select, values, chosen) {
  select.replaceChildren(...values.map(([value, text]) => new Option(text, value, false, value === chosen)));
}

function boxes(set, name, values, chosen) {
  const legend = set.querySelector("legend");
  set.replaceChildren(legend, ...values.map(([value, text, mark]) => {
    const label = document.createElement("label"), box = document.createElement("input");
    Object.assign(box, { type: "checkbox", name, value, checked: chosen.includes(value) });
    label.append(box, ...(mark ? [mark] : []), text);
    return label;
  }));
}

function swatch(colour, line) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [k, v] of Object.entries({ class: "swatch", width: 30, height: 12, "aria-hidden": "true" })) svg.setAttribute(k, v);
  const mark = document.createElementNS("http://www.w3.org/2000/svg", line ? "line" : "circle");
  const look = line ? { x1: 1, x2: 29, y1: 6, y2: 6, "stroke-width": 2, "stroke-dasharray": DASHES[line].join(" ") }
    : { cx: 15, cy: 6, r: 3.2, fill: "#ffffff", "stroke-width": 1.4 };
  for (const [k, v] of Object.entries({ stroke: colour, ...look })) mark.setAttribute(k, v);
  svg.append(mark);
  return svg;
}

// Set the options and values of all fields from the state.
function fill() {
  const text = values => values.map(v => [v, v]);
  const inObjective = data.plots.filter(p => p.objective === state.objective);
  const group = inObjective.filter(p => p.optimizer === state.optimizer), cells = cellsOf(state);
  options(field("objective"), text(unique(data.plots.map(p => p.objective))), state.objective);
  options(field("optimizer"), text(unique(inObjective.map(p => p.optimizer))), state.optimizer);
  options(field("alpha"), text(unique(group.map(p => String(p.alpha)))), state.alpha);
  options(field("quantity"), Object.entries(cells[0].views).map(([name, v]) => [name, v.symbol]), state.quantity);
  field("x").value = state.x;
  field("colour").value = state.colour;
  const byModel = state.colour === "model";
  boxes(host.querySelector("#configurations"), "configuration",
    cells.map(c => [c.key, c.configuration, byModel ? null : swatch(c.colour, "solid")]), state.configuration);
  field("colour").parentElement.hidden = models.size < 2;
  host.querySelector("#configurations").hidden = cells.length < 2;
  boxes(host.querySelector("#paths"), "path", paths.filter(name => cells.some(c => c.paths[name])).map(name =>
    [name, data.paths[name].label, swatch(byModel ? data.paths[name].colour || INK : INK, data.paths[name].line)]), state.path);
  boxes(host.querySelector("#logs"), "log",
    [["x", "iterations"], ["v", "values"], ["e", "errors"]].map(([v, t]) => [v, t]), [...state.log]);
}

function curves() {
  const { grids } = plotOf(state);
  const chosen = cellsOf(state).filter(c => state.configuration.includes(c.key) && c.views[state.quantity]);
  const k = unique(chosen.flatMap(c => grids[c.grid][state.quantity])).sort((a, b) => a - b)
    .filter(i => i > 0 || !state.log.includes("x"));
  const found = [];
  for (const cell of chosen) {
    const rows = new Map(grids[cell.grid][state.quantity].map((row, i) => [row, i]));
    const view = cell.views[state.quantity];
    const on = y => y && k.map(i => (rows.has(i) ? y[rows.get(i)] : undefined));
    for (const name of paths.filter(p => state.path.includes(p) && view.value[p])) {
      const path = data.paths[name];
      found.push({
        label: `${cell.configuration === "–" ? cell.optimizer : cell.configuration}, ${path.label}`, cell, name, marker: !path.line, line: path.line,
        colour: state.colour === "model" ? path.colour || "#555555" : cell.colour, value: on(view.value[name]), error: on(view.error[name]),
      });
    }
  }
  return { k, x: state.x === "t" ? k.map(i => i * Number(state.alpha)) : k, found, symbol: chosen[0].views[state.quantity].symbol };
}

const scale = () => (state.x === "t" ? Number(state.alpha) : 1);

function draw() {
  plots.forEach(plot => plot.destroy());
  plots = [];
  const range = state.range;
  shown = curves();
  const { x, found, symbol } = shown, where = `${state.objective}, ${state.optimizer}, α = ${state.alpha}`;
  const bars = symbol.startsWith("‖") ? "‖" : "|", gap = `${bars}discrete − solution${bars}`;
  const parts = [
    ["value", `${symbol}: ${where}`, symbol, state.log.includes("v"), found],
    ["error", `Errors ${gap} of ${symbol}: ${where}`, gap, state.log.includes("e"), found.filter(c => c.error)],
  ];
  for (const [name, title, yLabel, logY, members] of parts) {
    const box = host.querySelector(`#plot-${name}`), target = box.querySelector(".canvas");
    box.querySelector("h3").textContent = title;
    box.setAttribute("aria-label", `Plot of ${title}. Arrow keys move along the iterations, plus and minus zoom, zero shows all.`);
    const offered = members.map(c => ({ ...c, y: c[name] })), empty = box.querySelector(".empty");
    empty.textContent = nothing(offered, logY, name);
    empty.hidden = !empty.textContent;
    if (empty.textContent) continue;
    plots.push(drawn(target, {
      x, curves: offered, xLabel: state.x === "t" ? "time t = αk" : "iteration k", yLabel,
      logX: state.log.includes("x"), logY, onMove: moved, onZoom: zoomed,
    }));
  }
  if (range) limit(range[0], range[1]);
  if (!shown.k.includes(state.at)) state.at = nearest(state.at ?? shown.k[shown.k.length - 1]);
  point(state.at);
}

const nearest = k => shown.k.reduce((best, i) => (Math.abs(i - k) < Math.abs(best - k) ? i : best), shown.k[0]);

// Show the iterations between two; all of them if the interval contains both ends.
function limit(from, to) {
  const ends = [shown.k[0], shown.k[shown.k.length - 1]];
  const [low, high] = [Math.max(from, ends[0]), Math.min(to, ends[1])];
  if (!(high > low)) return;
  for (const plot of plots) plot.setScale("x", { min: low * scale(), max: high * scale() });
  place(state.at);
}

function zoomed(min, max) {
  if (!shown || min === null || min === undefined) return;
  const [first, last] = [shown.x[0], shown.x[shown.x.length - 1]], slack = 1e-9 * (last - first);
  state.range = min <= first + slack && max >= last - slack ? null : [min / scale(), max / scale()];
  for (const plot of plots) if (plot.scales.x.min !== min || plot.scales.x.max !== max) plot.setScale("x", { min, max });
  remember();
}

function moved(index) {
  if (index === null || index === undefined || !shown || placing !== null || state.at === shown.k[index]) return;
  state.at = shown.k[index];
  readings();
  remember();
}

// Put the cursor on an iteration; pan if it is not visible.
function point(k) {
  state.at = k;
  if (state.range && (k < state.range[0] || k > state.range[1])) {
    const half = (state.range[1] - state.range[0]) / 2;
    limit(k - half, k + half);
  }
  readings();
  place(k);
  remember();
}

// Drawing moves the cursors of the plots: set their position afterwards.
function place(k) {
  placing = k;
  requestAnimationFrame(() => {
    if (placing !== k) return;
    for (const plot of plots) {
      const left = plot.valToPos(k * scale(), "x"), seen = left >= 0 && left <= plot.over.clientWidth + 1;
      plot.setCursor(seen ? { left, top: 10 } : { left: -10, top: -10 }, false);
    }
    placing = null;
  });
}

function zoom(factor) {
  const ends = state.range || [shown.k[0], shown.k[shown.k.length - 1]];
  const log = state.log.includes("x"), to = log ? Math.log : v => v, from = log ? Math.exp : v => v;
  const [low, high] = ends.map(to), middle = Math.min(Math.max(to(state.at), low), high);
  limit(from(middle - (middle - low) * factor), from(middle + (high - middle) * factor));
}

const digits = v => (v === null || v === undefined ? "–" : v === 0 ? "0"
  : Math.abs(v) < 1e-3 ? v.toExponential(data.digits - 1) : v.toPrecision(data.digits));

function readings() {
  const at = shown.k.indexOf(state.at), table = host.querySelector("#readings");
  table.caption.textContent = `Values at k = ${state.at}, t = ${short(state.at * Number(state.alpha))}`;
  if (document.activeElement !== field("at")) field("at").value = state.at;
  const drawnBefore = table.tBodies[0].rows.length === shown.found.length && table.shown === shown;
  if (!drawnBefore) {
    table.shown = shown;
    table.tBodies[0].replaceChildren(...shown.found.map(curve => {
      const row = document.createElement("tr"), head = document.createElement("th"), file = document.createElement("a");
      head.scope = "row";
      head.append(toggle(curve, "explorer"));
      file.href = curve.cell.paths[curve.name].file.split("/").map(encodeURIComponent).join("/");
      file.textContent = "Parquet";
      row.append(head, ...[0, 1, 2, 3].map(() => document.createElement("td")));
      row.cells[1].className = row.cells[2].className = "number";
      const { ok, status, message } = curve.cell.paths[curve.name];
      row.cells[3].textContent = status;
      row.cells[3].title = message;
      if (!ok) row.cells[3].innerHTML = `<strong class="mark">${row.cells[3].innerHTML}</strong>`;
      row.cells[4].append(file);
      row.addEventListener("mouseenter", () => emphasise(curve));
      row.addEventListener("mouseleave", () => emphasise(null));
      return row;
    }));
  }
  shown.found.forEach((curve, i) => {
    const row = table.tBodies[0].rows[i];
    row.cells[1].textContent = digits(curve.value[at]);
    row.cells[2].textContent = curve.error ? digits(curve.error[at]) : "";
  });
}

function emphasise(curve) {
  for (const plot of plots) {
    const i = plot.series.findIndex((series, j) => j && curve && series.label === curve.label);
    plot.setSeries(i > 0 ? i : null, { focus: curve !== null && i > 0 }, false);
  }
}

function say() {
  const at = shown.k.indexOf(state.at);
  host.querySelector("#said").textContent = `k = ${state.at}: ` + shown.found.map(c => `${c.label} ${digits(c.value[at])}`).join("; ");
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const at = shown.k.indexOf(state.at), step = event.shiftKey ? 10 : 1, last = shown.k.length - 1;
  const to = { ArrowLeft: Math.max(at - step, 0), ArrowRight: Math.min(at + step, last), Home: 0, End: last }[event.key];
  if (to !== undefined) { point(shown.k[to]); say(); }
  else if (event.key === "+" || event.key === "=") zoom(0.5);
  else if (event.key === "-") zoom(2);
  else if (event.key === "0") limit(-Infinity, Infinity);
  else return;
  event.preventDefault();
}

async function chosen(event) {
  const { name, value } = event.target, all = n => [...host.querySelectorAll(`[name="${n}"]:checked`)].map(box => box.value);
  if (name === "at") { if (value !== "") { point(nearest(Number(value))); say(); } return; }
  const next = { ...state, configuration: all("configuration"), path: all("path"), log: all("log").join("") };
  for (const n of ["objective", "optimizer", "alpha", "quantity", "x", "colour"]) next[n] = field(n).value;
  if (["objective", "optimizer", "alpha"].includes(name)) Object.assign(next, { range: null, at: null });
  if (["objective", "optimizer"].includes(name)) {
    Object.assign(next, { configuration: [], path: [] });
    if (state.colour === usual(cellsOf(state))[0]) next.colour = undefined;
  }
  const focus = [name, event.target.type === "checkbox" ? value : null];
  if (!(await show(next))) return;
  const again = [...host.querySelectorAll(`[name="${focus[0]}"]`)].find(f => focus[1] === null || f.value === focus[1]);
  if (again) again.focus({ preventScroll: true });
}

function build() {
  host.replaceChildren(document.getElementById("explorer-content").content.cloneNode(true));
  const form = host.querySelector("form");
  form.addEventListener("submit", event => event.preventDefault());
  form.addEventListener("change", chosen);
  field("in").addEventListener("click", () => zoom(0.5));
  field("out").addEventListener("click", () => zoom(2));
  field("whole").addEventListener("click", () => limit(-Infinity, Infinity));
  field("copy").addEventListener("click", () => copyLink(hash(), host.querySelector("form output")));
  for (const type of ["pointerdown", "pointermove", "keydown", "change"]) host.addEventListener(type, () => { touched = true; }, true);
  host.querySelectorAll(".plot").forEach(box => box.addEventListener("keydown", pressed));
  new ResizeObserver(() => plots.forEach(plot => {
    const width = plot.root.parentElement.clientWidth;
    if (width && width !== plot.width) plot.setSize({ width, height: plot.height });
  })).observe(host);
}

async function restored() {
  if (!location.hash.startsWith("#explore?")) return;
  if (await show(parsed(location.hash))) document.getElementById("explorer").scrollIntoView();
}

build();
window.addEventListener("hashchange", restored);
if (location.hash.startsWith("#explore?")) restored();
else show(parsed(""));
