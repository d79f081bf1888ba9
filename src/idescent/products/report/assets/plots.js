// Plots of the explorer and the ladder, drawn by uPlot: axes, curves, legend, values at the pointer, keys and touch.
const DASHES = { solid: [], dashed: [7, 4], dotted: [2, 3], dashdot: [8, 3, 2, 3] };
const INK = "#1a1a1a";
const DECADES = 1e-10;
const MOST_IN_TIP = 6;
// Labels of the curves that the reader has hidden, and the plots on the page, by group of synchronous plots.
const off = { explorer: new Set(), ladder: new Set() };
const live = { explorer: new Set(), ladder: new Set() };

function power(value) {
  const exponent = Math.round(Math.log10(value));
  if (Math.abs(Math.log10(value) - exponent) > 1e-9) return "";
  return "10" + [...String(exponent)].map(c => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]).join("");
}

function short(value) {
  const size = Math.abs(value);
  return size !== 0 && (size >= 1e5 || size < 1e-4) ? value.toExponential(2).replace(/\.?0+e/, "e") : String(Number(value.toPrecision(6)));
}

// Show markers at least 9 pixels apart; all of them when zoomed in.
function sparse(plot, series, show) {
  if (!show) return null;
  const [first, last] = plot.series[0].idxs;
  const kept = [];
  let x0 = -Infinity, y0 = -Infinity;
  for (let i = first; i <= last; i++) {
    const value = plot.data[series][i];
    if (value === null || value === undefined) continue;
    const x = plot.valToPos(plot.data[0][i], "x"), y = plot.valToPos(value, "y");
    if (Math.hypot(x - x0, y - y0) < 9) continue;
    kept.push(i);
    [x0, y0] = [x, y];
  }
  return kept;
}

// Lengths are multiples of `size`: 1 on the screen, more in a picture to download.
function axis(label, log, size, extra) {
  const font = `${12 * size}px system-ui, sans-serif`;
  const filter = (_, splits) => (log ? splits.map(v => (power(v) ? v : null)) : splits);
  return {
    label, labelFont: font, font, stroke: INK, labelSize: 20 * size, labelGap: 0, size: 36 * size, gap: 4 * size,
    filter, grid: { stroke: "#ebebeb", width: size, filter }, ticks: { stroke: "#999999", width: size, size: 5 * size, filter },
    values: (_, splits) => splits.map(v => (v === null || v === undefined ? "" : log ? power(v) : short(v))), ...extra,
  };
}

function line(curve, size, show) {
  const common = { label: curve.label, stroke: curve.colour, show };
  if (curve.marker) {
    const points = { show: true, size: 5 * size, width: 1.2 * size, fill: "#ffffff", stroke: curve.colour, filter: sparse };
    return { ...common, paths: () => null, points };
  }
  const dash = DASHES[curve.line].map(length => length * size), dots = curve.dots === true;
  return { ...common, width: 1.6 * size, dash, spanGaps: dots, points: { show: dots, size: 5 * size } };
}

// The reason why none of the curves can be drawn; empty if one can.
function nothing(curves, log, noun) {
  const values = curves.flatMap(curve => curve.y).filter(v => v !== null && v !== undefined);
  if (values.some(v => !log || v > 0)) return "";
  if (!values.length) return curves.length ? `No finite ${noun} to draw.` : "No solution is selected.";
  return values.every(v => v === 0) ? `All ${noun}s are zero.` : `No positive ${noun} to draw on a logarithmic axis.`;
}

const isOn = (spec, curve) => !off[spec.sync].has(curve.label);

function optionsOf(spec, width, height, size) {
  const { curves, xLabel, yLabel, logX, logY } = spec, narrow = width < 480 * size;
  return {
    width, height, legend: { show: false },
    scales: {
      x: { time: false, distr: logX ? 3 : 1, range: (_, low, high) => (low < high ? [low, high] : [low, low + 1]) },
      y: logY
        ? { distr: 3, range: (_, low, high) => (high > 0 ? uPlot.rangeLog(Math.max(low, high * DECADES), high, 10, true) : [0.1, 1]) }
        : { range: (_, low, high) => (low === null ? [0, 1] : uPlot.rangeNum(low, high, 0.05, true)) },
    },
    axes: [
      axis(xLabel, logX, size, { space: (narrow ? 60 : 80) * size }),
      axis(yLabel, logY, size, { size: 58 * size, space: 34 * size }),
    ],
    series: [{}, ...curves.map(curve => line(curve, size, isOn(spec, curve)))],
  };
}

function dataOf({ x, curves, logY }) {
  const positive = y => y.map(v => (v !== null && v !== undefined && v <= 0 ? null : v));
  return [x, ...curves.map(curve => (logY ? positive(curve.y) : curve.y))];
}

// spec: {x, curves: [{y, colour, line, marker, label}], xLabel, yLabel, logX, logY, onMove, onZoom, sync}
function drawn(target, spec) {
  const settings = { sync: "explorer", ...spec }, width = target.clientWidth;
  const plot = new uPlot({
    ...optionsOf(settings, width, width < 480 ? 260 : 330, 1),
    cursor: { sync: { key: settings.sync, setSeries: false }, drag: { x: true, y: false }, points: { size: 7 }, y: false },
    focus: { alpha: 0.2 },
    hooks: {
      init: [plot => { live[settings.sync].add(plot); touchable(plot); }],
      setCursor: [plot => settings.onMove(plot.cursor.idx)],
      setScale: [(plot, scale) => scale === "x" && settings.onZoom(plot.scales.x.min, plot.scales.x.max)],
      destroy: [plot => live[settings.sync].delete(plot)],
    },
    plugins: [tip(settings)],
  }, dataOf(settings), target);
  target.plot = plot;
  keys(target);
  downloads(target, plot, settings);
  return plot;
}

// The name of a curve in a legend: a button that hides and shows the curve.
function toggle(curve, sync) {
  const button = document.createElement("button"), hidden = off[sync];
  button.type = "button";
  button.className = "curve";
  button.title = "Hide or show the curve";
  button.setAttribute("aria-pressed", !hidden.has(curve.label));
  button.append(swatch(curve.colour, curve.line), " ", curve.label);
  button.addEventListener("click", () => {
    if (!hidden.delete(curve.label)) hidden.add(curve.label);
    const show = !hidden.has(curve.label);
    button.setAttribute("aria-pressed", show);
    for (const plot of live[sync])
      plot.series.forEach((series, i) => i && series.label === curve.label && plot.setSeries(i, { show }, false));
  });
  return button;
}

// Values at the pointer, the nearest curves first; after a key, in the order of the legend.
function tip({ curves, xLabel, sync }) {
  const symbol = xLabel.match(/(\S)(?: = .*)?$/)[1];
  // Beside the pointer there is little room: without the words that all labels begin with.
  const words = curves.map(curve => curve.label.split(", ")), first = words[0];
  let common = 0;
  while (words.every(each => each.length > common + 1 && each[common] === first[common])) common++;
  let box, shown = false, byKey = false;
  function update(plot) {
    const { idx, left, top } = plot.cursor;
    box.hidden = !shown || idx === null || idx === undefined || left < 0;
    if (box.hidden) return;
    const values = curves.map((curve, i) => ({ curve, value: plot.data[i + 1][idx], show: plot.series[i + 1].show }))
      .filter(({ value, show }) => show && value !== null && value !== undefined);
    if (!byKey) {
      const distance = ({ value }) => Math.abs(plot.valToPos(value, "y") - top);
      values.sort((a, b) => distance(a) - distance(b));
    }
    const title = document.createElement("b"), more = values.length - MOST_IN_TIP;
    title.textContent = `${symbol} = ${short(plot.data[0][idx])}`;
    box.replaceChildren(title, ...values.slice(0, MOST_IN_TIP).map(({ curve, value }) => {
      const row = document.createElement("div"), number = document.createElement("span");
      number.textContent = short(value);
      row.append(swatch(curve.colour, curve.line), number, ` ${curve.label.split(", ").slice(common).join(", ")}`);
      return row;
    }), ...(more > 0 ? [`${more} more`] : []));
    // At the curve: beside the pointer, or beside the first curve after a key; towards the middle of the plot.
    const y = byKey && values.length ? plot.valToPos(values[0].value, "y") : top;
    const { clientWidth, clientHeight, offsetLeft } = plot.over, { offsetWidth, offsetHeight } = box;
    const x = left + (left < clientWidth / 2 ? 12 : -12 - offsetWidth);
    const place = (wanted, low, high) => `${Math.max(Math.min(wanted, high), low)}px`;
    box.style.left = place(x, -offsetLeft, clientWidth - offsetWidth);
    box.style.top = place(y + (y < clientHeight / 2 ? 12 : -12 - offsetHeight), 0, clientHeight - offsetHeight);
  }
  function init(plot) {
    const frame = plot.over.closest(".paper");
    const set = (visible, key) => { shown = visible; byKey = key; update(plot); };
    box = document.createElement("div");
    box.className = "tip";
    box.hidden = true;
    // The explorer has a live region of its own.
    if (sync !== "explorer") box.setAttribute("role", "status");
    plot.over.append(box);
    const listen = (element, name, action) => {
      element.addEventListener(name, action);
      plot.hooks.destroy.push(() => element.removeEventListener(name, action));
    };
    for (const name of ["pointermove", "pointerdown"]) listen(plot.over, name, () => set(true, false));
    // A finger leaves the plot when it is lifted: its values stay until the next tap elsewhere.
    listen(plot.over, "pointerleave", event => event.pointerType !== "touch" && set(false, false));
    listen(document, "pointerdown", event => plot.over.contains(event.target) || set(false, false));
    listen(frame, "blur", () => set(false, false));
    // The explorer moves the cursor in the next frame.
    listen(frame, "keydown", event => requestAnimationFrame(() => requestAnimationFrame(() => set(event.key !== "Escape", true))));
  }
  return { hooks: { init: [init], setCursor: [update] } };
}

// A tap or a horizontal drag of a finger moves the cursor; the browser scrolls and magnifies the page as elsewhere.
function touchable(plot) {
  plot.over.style.touchAction = "pan-y pinch-zoom";
  const move = event => {
    if (event.pointerType !== "touch") return;
    const { left, top } = plot.over.getBoundingClientRect();
    plot.setCursor({ left: event.clientX - left, top: event.clientY - top });
  };
  plot.over.addEventListener("pointerdown", move);
  plot.over.addEventListener("pointermove", move);
}

// Arrow keys in a plot that has no keys of its own.
function keys(target) {
  const box = target.parentElement;
  if (box.hasAttribute("tabindex")) return;
  for (const [name, value] of Object.entries({ tabindex: 0, role: "application", "aria-roledescription": "plot" })) box.setAttribute(name, value);
  box.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== box) return;
    const { plot } = target, last = plot.data[0].length - 1, at = plot.cursor.idx ?? last;
    const to = { ArrowLeft: Math.max(at - 1, 0), ArrowRight: Math.min(at + 1, last), Home: 0, End: last }[event.key];
    if (to === undefined) return;
    plot.setCursor({ left: plot.valToPos(plot.data[0][to], "x"), top: 10 });
    event.preventDefault();
  });
}
