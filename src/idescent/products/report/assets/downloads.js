// A plot as a picture (PNG) and as numbers (CSV): buttons below each plot.
const PICTURE = { width: 1600, height: 800, size: 2, margin: 24 };

function downloads(target, plot, spec) {
  let row = target.nextElementSibling;
  if (!row) {
    row = document.createElement("p");
    row.className = "downloads";
    for (const [text, title] of [["PNG", "Save the plot as a picture"], ["CSV", "Save the numbers of the curves"]]) {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", textContent: text, title });
      row.append(button);
    }
    target.after(row);
  }
  const heading = target.parentElement.querySelector("h3, h4").textContent;
  const [png, csv] = row.children;
  const name = [document.querySelector("h1").textContent, heading].join("_").replaceAll("θ", "theta").replaceAll("α", "alpha")
    .replace(/[^\p{L}\p{N}.]+/gu, "_").replace(/^_|_$/g, "");
  png.onclick = async () => save(await picture(plot, spec, heading), `${name}.png`);
  csv.onclick = () => save(new Blob([numbers(spec)], { type: "text/csv" }), `${name}.csv`);
  row.hidden = false;
  plot.hooks.destroy.push(() => { row.hidden = true; });
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// All numbers of the visible curves, also those outside the zoom.
function numbers(spec) {
  const curves = spec.curves.filter(curve => isOn(spec, curve));
  const quoted = field => (/[",\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field);
  const rows = [[spec.xLabel, ...curves.map(curve => curve.label)], ...spec.x.map((x, i) => [x, ...curves.map(({ y }) => y[i] ?? "")])];
  return rows.map(row => row.map(field => quoted(String(field))).join(",") + "\n").join("");
}

// The curves at the plot's zoom, with title and legend, on white.
async function picture(plot, spec, heading) {
  const { width, height, size, margin } = PICTURE, { min, max } = plot.scales.x;
  const large = new uPlot({ ...optionsOf(spec, width - margin, height, size), cursor: { show: false } }, dataOf(spec));
  large.setScale("x", { min, max });
  // uPlot draws when the tasks of this turn are done.
  await new Promise(done => setTimeout(done));
  const canvas = document.createElement("canvas"), context = canvas.getContext("2d");
  const font = weight => `${weight} ${13 * size}px system-ui, sans-serif`, high = 20 * size, sample = 30 * size, gap = 8 * size;
  context.font = font(400);
  const places = [];
  let x = margin, y = 0;
  for (const curve of spec.curves.filter(curve => isOn(spec, curve))) {
    const length = sample + gap + context.measureText(curve.label).width;
    if (x > margin && x + length > width - margin) [x, y] = [margin, y + high];
    places.push([curve, x, y]);
    x += length + 2 * gap;
  }
  const below = 2 * margin + high + height;
  canvas.width = width;
  canvas.height = below + y + high + margin;
  Object.assign(context, { fillStyle: "#ffffff", textBaseline: "middle" });
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(large.ctx.canvas, 0, margin + high, width - margin, height);
  large.destroy();
  Object.assign(context, { fillStyle: INK, font: font(600) });
  context.fillText(heading, margin, margin + high / 2);
  context.font = font(400);
  for (const [curve, left, top] of places) {
    const middle = below + top + high / 2;
    context.fillText(curve.label, left + sample + gap, middle);
    Object.assign(context, { strokeStyle: curve.colour, lineWidth: 1.6 * size });
    context.setLineDash(curve.marker ? [] : DASHES[curve.line].map(length => length * size));
    context.beginPath();
    if (curve.marker) context.arc(left + sample / 2, middle, 2.5 * size, 0, 2 * Math.PI);
    else [context.moveTo(left, middle), context.lineTo(left + sample, middle)];
    context.stroke();
  }
  return new Promise(done => canvas.toBlob(done, "image/png"));
}
