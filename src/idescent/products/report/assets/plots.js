// One pair of axes of the explorer, drawn by uPlot.
const DASHES = { solid: [], dashed: [7, 4], dotted: [2, 3], dashdot: [8, 3, 2, 3] };
const INK = "#1a1a1a";
const DECADES = 1e-10;

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

function axis(label, log, extra) {
  const font = "12px system-ui, sans-serif";
  const filter = (_, splits) => (log ? splits.map(v => (power(v) ? v : null)) : splits);
  return {
    label, labelFont: font, font, stroke: INK, labelSize: 20, labelGap: 0, size: 36, gap: 4,
    filter, grid: { stroke: "#ebebeb", width: 1, filter }, ticks: { stroke: "#999999", width: 1, size: 5, filter },
    values: (_, splits) => splits.map(v => (v === null || v === undefined ? "" : log ? power(v) : short(v))), ...extra,
  };
}

// The reason why none of the curves can be drawn; empty if one can.
function nothing(curves, log, noun) {
  const values = curves.flatMap(curve => curve.y).filter(v => v !== null && v !== undefined);
  if (values.some(v => !log || v > 0)) return "";
  if (!values.length) return curves.length ? `No finite ${noun} to draw.` : "No solution is selected.";
  return values.every(v => v === 0) ? `All ${noun}s are zero.` : `No positive ${noun} to draw on a logarithmic axis.`;
}

// curves: [{x, y, colour, line, marker, label}], all on the same x.
function drawn(target, { x, curves, xLabel, yLabel, logX, logY, onMove, onZoom, sync = "explorer" }) {
  const positive = y => y.map(v => (v !== null && v !== undefined && v <= 0 ? null : v));
  const data = [x, ...curves.map(curve => (logY ? positive(curve.y) : curve.y))];
  const narrow = target.clientWidth < 480;
  const options = {
    width: target.clientWidth, height: narrow ? 260 : 330, legend: { show: false },
    cursor: { sync: { key: sync, setSeries: false }, drag: { x: true, y: false }, points: { size: 7 }, y: false },
    focus: { alpha: 0.2 },
    scales: {
      x: { time: false, distr: logX ? 3 : 1, range: (_, low, high) => (low < high ? [low, high] : [low, low + 1]) },
      y: logY
        ? { distr: 3, range: (_, low, high) => (high > 0 ? uPlot.rangeLog(Math.max(low, high * DECADES), high, 10, true) : [0.1, 1]) }
        : { range: (_, low, high) => (low === null ? [0, 1] : uPlot.rangeNum(low, high, 0.05, true)) },
    },
    axes: [axis(xLabel, logX, { space: narrow ? 60 : 80 }), axis(yLabel, logY, { size: 58, space: 34 })],
    series: [{}, ...curves.map(curve => curve.marker
      ? { label: curve.label, stroke: curve.colour, paths: () => null, points: { show: true, size: 5, width: 1.2, fill: "#ffffff", stroke: curve.colour, filter: sparse } }
      : { label: curve.label, stroke: curve.colour, width: 1.6, dash: DASHES[curve.line], spanGaps: curve.dots === true, points: { show: curve.dots === true, size: 5 } })],
    hooks: {
      setCursor: [plot => onMove(plot.cursor.idx)],
      setScale: [(plot, scale) => scale === "x" && onZoom(plot.scales.x.min, plot.scales.x.max)],
    },
  };
  return new uPlot(options, data, target);
}
