// Errors against the learning rate: any cell, solution and quantity of the study, with a link that restores the view.
const ladder = document.getElementById("ladder-tool");
const FIELDS = ["objective", "optimizer", "configuration", "path", "quantity"];
const SYMBOLS = { theta: "θ", loss: "L(θ)" };
let rungs = [], ladderView = {}, ladderPlot = null, ladderShown = null;

const pathLabel = name => (data.paths[name] || {}).label || name;
const ladderField = name => ladder.querySelector(`[name="ladder-${name}"]`);
// Configurations and solutions can be shown together.
const hasAll = name => name === "configuration" || name === "path";
const rungsOf = (view, fields) => rungs.filter(r => fields.every(name => r[name] === view[name] || (hasAll(name) && view[name] === "all")));
const ladderHash = () => "#ladder?" + new URLSearchParams(ladderView);

// Values of a field for the values of the fields before it.
function valuesOf(view, i) {
  const values = unique(rungsOf(view, FIELDS.slice(0, i)).map(r => r[FIELDS[i]]));
  if (!hasAll(FIELDS[i]) || values.length < 2) return values;
  return FIELDS[i] === "path" ? ["all", ...values] : [...values, "all"];
}

// Complete a view: the first possible value replaces a missing or unknown one.
function viewOf(request) {
  const view = {};
  FIELDS.forEach((name, i) => { view[name] = among(request[name], valuesOf(view, i)); });
  return view;
}

function showLadder(request) {
  const view = ladderView = viewOf(request), chosen = rungsOf(view, FIELDS);
  const texts = { path: v => (v === "all" ? v : pathLabel(v)), quantity: v => SYMBOLS[v] || v };
  FIELDS.forEach((name, i) => options(ladderField(name), valuesOf(view, i).map(v => [v, (texts[name] || String)(v)]), view[name]));
  const x = unique(chosen.flatMap(r => r.points.map(p => p[0]))).sort((a, b) => a - b);
  const curves = chosen.map(r => {
    const at = new Map(r.points), look = data.paths[r.path] || {};
    return { rung: r, label: (view.configuration === "all" ? `${r.configuration}, ` : "") + pathLabel(r.path), y: x.map(a => at.get(a) ?? null),
      colour: look.colour || "#555555", line: look.line || "solid", dots: true };
  });
  ladderShown = { x, curves, at: x.length - 1 };
  if (ladderPlot) ladderPlot.destroy();
  const title = `Largest error of ${SYMBOLS[view.quantity] || view.quantity} over all iterations: ${view.objective}, ${view.optimizer}`;
  ladder.querySelector("h4").textContent = title;
  ladder.querySelector(".ladder").setAttribute("aria-label", `Plot of ${title}. Arrow keys move along the learning rates.`);
  const empty = ladder.querySelector(".empty");
  empty.textContent = nothing(curves, true, "error");
  empty.hidden = !empty.textContent;
  ladderPlot = empty.textContent ? null : drawn(ladder.querySelector(".canvas"), {
    x, curves, xLabel: "learning rate α", yLabel: "error", logX: true, logY: true, onMove: readLadder, onZoom: () => {}, sync: "ladder",
  });
  readLadder(null);
}

// Slope of the curve between a learning rate and the next smaller one with an error.
function localOrder(x, y, i) {
  let j = i - 1;
  while (j >= 0 && !(y[j] > 0)) j--;
  return j < 0 || !(y[i] > 0) ? null : Math.log(y[i] / y[j]) / Math.log(x[i] / x[j]);
}

// The explorer's view of the curves at one learning rate.
function curvesLink(rung, alpha) {
  const q = new URLSearchParams({ objective: rung.objective, optimizer: rung.optimizer, alpha, configuration: rung.key, quantity: rung.quantity });
  for (const name of ["discrete", rung.path]) q.append("path", name);
  return "#explore?" + q;
}

function readLadder(index) {
  const { x, curves } = ladderShown, i = ladderShown.at = index ?? x.length - 1;
  ladder.querySelector("caption").textContent = `Errors at α = ${short(x[i])}`;
  ladder.querySelector("tbody").replaceChildren(...curves.map(curve => {
    const { rung, y } = curve;
    const row = document.createElement("tr"), head = document.createElement("th"), link = document.createElement("a");
    const [error, slope, at] = [0, 1, 2].map(() => document.createElement("td")), order = localOrder(x, y, i);
    head.scope = "row";
    head.append(toggle(curve, "ladder"));
    error.className = slope.className = "number";
    error.textContent = y[i] === null ? "–" : y[i].toExponential(2);
    slope.textContent = order === null ? "–" : order.toFixed(2);
    Object.assign(link, { href: curvesLink(rung, x[i]), textContent: "curves" });
    if (y[i] !== null && data.plots.some(p => p.objective === rung.objective && p.optimizer === rung.optimizer && p.alpha === x[i])) at.append(link);
    row.append(head, error, slope, at);
    return row;
  }));
}

function ladderPressed(event) {
  const last = ladderShown.x.length - 1, at = ladderShown.at;
  const to = { ArrowLeft: Math.max(at - 1, 0), ArrowRight: Math.min(at + 1, last), Home: 0, End: last }[event.key];
  if (to === undefined || !ladderPlot) return;
  event.preventDefault();
  ladderPlot.setCursor({ left: ladderPlot.valToPos(ladderShown.x[to], "x"), top: 10 });
  readLadder(to);
  ladder.querySelector("output").textContent = ladder.querySelector("caption").textContent;
}

function openLadder() {
  if (!location.hash.startsWith("#ladder?")) return;
  const q = new URLSearchParams(location.hash.slice("#ladder?".length));
  showLadder(Object.fromEntries(FIELDS.map(name => [name, q.get(name)])));
  ladder.scrollIntoView();
}

ladder.setAttribute("aria-busy", "true");
unpacked(document.getElementById("ladders")).then(ladders => {
  ladder.removeAttribute("aria-busy");
  rungs = ladders;
  if (!rungs.length) return;
  ladder.replaceChildren(document.getElementById("ladder-content").content.cloneNode(true));
  const form = ladder.querySelector("form"), output = ladder.querySelector("output");
  form.addEventListener("submit", event => event.preventDefault());
  form.addEventListener("change", () => {
    showLadder(Object.fromEntries(FIELDS.map(name => [name, ladderField(name).value])));
    history.replaceState(null, "", ladderHash());
  });
  ladder.querySelector(`[name="ladder-copy"]`).addEventListener("click", () => copyLink(ladderHash(), output));
  ladder.querySelector(".ladder").addEventListener("keydown", ladderPressed);
  new ResizeObserver(() => {
    const width = ladder.querySelector(".canvas").clientWidth;
    if (ladderPlot && width && width !== ladderPlot.width) ladderPlot.setSize({ width, height: ladderPlot.height });
  }).observe(ladder);
  window.addEventListener("hashchange", openLadder);
  showLadder({});
  openLadder();
});
