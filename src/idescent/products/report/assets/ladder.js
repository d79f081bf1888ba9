// Errors against the learning rate: every cell, solution and quantity of the study, with a link that restores the view.
const ladder = document.getElementById("ladder-tool");
const FIELDS = ["objective", "optimizer", "configuration", "quantity"];
let rungs = [], ladderPlot = null;

const rungsOf = (view, fields) => rungs.filter(r => fields.every(name => r[name] === view[name] || (name === "configuration" && view[name] === "all")));

// Complete a view: the first possible value replaces a missing or unknown one.
function viewOf(request) {
  const view = {};
  FIELDS.forEach((name, i) => {
    const values = unique(rungsOf(view, FIELDS.slice(0, i)).map(r => r[name]));
    view[name] = among(request[name], name === "configuration" && values.length > 1 ? [...values, "all"] : values);
  });
  return view;
}

function showLadder(request) {
  const view = viewOf(request), chosen = rungsOf(view, FIELDS);
  FIELDS.forEach((name, i) => {
    const values = unique(rungsOf(view, FIELDS.slice(0, i)).map(r => r[name]));
    const symbols = { theta: "θ", loss: "L(θ)" };
    const all = name === "configuration" && values.length > 1 ? [["all", "all"]] : [];
    options(ladder.querySelector(`[name="ladder-${name}"]`), [...values.map(v => [v, symbols[v] || v]), ...all], view[name]);
  });
  const x = unique(chosen.flatMap(r => r.points.map(p => p[0]))).sort((a, b) => a - b);
  const curves = chosen.map(r => {
    const at = new Map(r.points), look = data.paths[r.path] || {};
    return { label: (view.configuration === "all" ? `${r.configuration}, ` : "") + (look.label || r.path), y: x.map(a => at.get(a) ?? null),
      colour: look.colour || "#555555", line: look.line || "solid", dots: true };
  });
  if (ladderPlot) ladderPlot.destroy();
  const read = index => {
    const i = index ?? x.length - 1;
    ladder.querySelector("caption").textContent = `Errors at α = ${short(x[i])}`;
    ladder.querySelector("tbody").replaceChildren(...curves.map(curve => {
      const row = document.createElement("tr"), head = document.createElement("th"), cell = document.createElement("td");
      head.scope = "row";
      head.append(swatch(curve.colour, curve.line), " ", curve.label);
      cell.className = "number";
      cell.textContent = curve.y[i] === null ? "–" : curve.y[i].toExponential(2);
      row.append(head, cell);
      return row;
    }));
  };
  const symbol = { theta: "θ", loss: "L(θ)" }[view.quantity] || view.quantity;
  ladder.querySelector("h4").textContent = `Largest error of ${symbol} over all iterations: ${view.objective}, ${view.optimizer}`;
  const empty = ladder.querySelector(".empty");
  empty.textContent = nothing(curves, true, "error");
  empty.hidden = !empty.textContent;
  ladderPlot = empty.textContent ? null : drawn(ladder.querySelector(".canvas"), {
    x, curves, xLabel: "learning rate α", yLabel: "error", logX: true, logY: true, onMove: read, onZoom: () => {}, sync: "ladder",
  });
  read(null);
  return view;
}

function ladderRequest() {
  const q = new URLSearchParams(location.hash.slice("#ladder?".length));
  return Object.fromEntries(FIELDS.map(name => [name, q.get(name)]));
}

unpacked(document.getElementById("ladders")).then(ladders => {
  rungs = ladders;
  if (!rungs.length) return;
  ladder.replaceChildren(document.getElementById("ladder-content").content.cloneNode(true));
  const form = ladder.querySelector("form");
  form.addEventListener("submit", event => event.preventDefault());
  form.addEventListener("change", () => {
    const view = showLadder(Object.fromEntries(FIELDS.map(name => [name, ladder.querySelector(`[name="ladder-${name}"]`).value])));
    history.replaceState(null, "", "#ladder?" + new URLSearchParams(view));
  });
  const open = () => {
    if (!location.hash.startsWith("#ladder?")) return;
    showLadder(ladderRequest());
    ladder.scrollIntoView();
  };
  new ResizeObserver(() => {
    const width = ladder.querySelector(".canvas").clientWidth;
    if (ladderPlot && width && width !== ladderPlot.width) ladderPlot.setSize({ width, height: ladderPlot.height });
  }).observe(ladder);
  window.addEventListener("hashchange", open);
  showLadder({});
  open();
});
