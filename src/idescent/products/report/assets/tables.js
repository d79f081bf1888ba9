// The tables of the page, shown by Tabulator: only visible rows are in the document.  Above each: search, filters,
// columns, CSV, and a link that restores the view.
{
const MOST_PRINTED = 500, WIDEST = 320;
const MISSING = "–";
// Numbers look as in the table files: 5e-06.
const padded = text => text.replace(/e([+-])(\d)$/, "e$10$2");
function trimmed(value, digits) {
  const number = Number(value.toPrecision(digits));
  return padded(number !== 0 && Math.abs(number) < 1e-4 ? number.toExponential() : String(number));
}
const FORMATS = {
  error: v => (v === 0 ? "0" : padded(v.toExponential(2))),
  count: v => trimmed(v, 15),
  number: v => (Number.isInteger(v) && Math.abs(v) < 1e9 ? String(v) : trimmed(v, 5)),
  order: v => v.toFixed(2),
  spread: v => trimmed(v, 2),
};
const TEXTS = {
  links: pairs => pairs.map(([text]) => text).join(" · "),
  note: ([text]) => text,
  claim: claim => [claim.statement, claim.id, ...claim.checks, claim.reason].join(" "),
};

function shownText(column, value) {
  if (value === null || value === "") return MISSING;
  return FORMATS[column.kind] ? FORMATS[column.kind](value) : (TEXTS[column.kind] || String)(value);
}

function element(tag, properties, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

// Content of a cell as nodes: a text of the study never becomes HTML.
function content(column, value) {
  const text = shownText(column, value), nodes = document.createDocumentFragment();
  if (column.kind === "links") {
    value.forEach(([text, href], i) => nodes.append(i ? " · " : "", element("a", { href, textContent: text })));
  } else if (column.kind === "claim") {
    const checks = element("ul", {}, ...value.checks.map(check => element("li", { textContent: check })));
    const reason = value.reason ? [element("p", { textContent: value.reason })] : [];
    nodes.append(value.statement, element("details", {}, element("summary", { textContent: value.id }), checks, ...reason));
  } else if (column.kind === "note") nodes.append(element("span", { title: value[1], textContent: text }));
  else if (column.looks[value]) nodes.append(element("span", { className: column.looks[value], textContent: text }));
  else nodes.append(text);
  return nodes;
}

// Value of a cell in the CSV: a number has all of its digits.
function exported(column, value) {
  if (value === null) return "";
  if (column.kind === "links") return value.map(pair => pair[1]).filter(href => !href.startsWith("#")).map(decodeURIComponent).join(" ");
  if (column.kind === "claim") return value.statement;
  const text = column.kind === "note" ? value[0] : String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

// Missing values come last in either direction.
function compared(column, a, b, direction) {
  const [left, right] = FORMATS[column.kind] ? [a, b] : [a, b].map(v => (v === null || v === "" ? null : shownText(column, v)));
  if (left === null || right === null) return ((left === null) - (right === null)) * (direction === "asc" ? 1 : -1);
  return typeof left === "number" ? left - right : left.localeCompare(right, "en", { numeric: true });
}

// Width of a column from its longest texts: it does not change while the rows scroll.
function widthOf(column, style) {
  const context = document.createElement("canvas").getContext("2d");
  const width = (text, weight) => {
    context.font = `${weight} ${style.fontSize} ${style.fontFamily}`;
    return context.measureText(text).width;
  };
  // Formatting every error would take longer than the rest of the table.
  const texts = column.kind === "error" ? ["0.00e+000"] : [...new Set(column.values)].map(v => (column.kind === "claim" ? v.statement : shownText(column, v)));
  const longest = texts.reduce((most, text) => (text.length > most.length ? text : most), "");
  const [weight, mark] = Object.keys(column.looks).length ? [650, 12] : [400, 0], needed = width(longest, weight) + mark;
  return { width: Math.ceil(Math.max(Math.min(needed, WIDEST), width(column.title, 600) + 28)) + 22, wraps: needed > WIDEST || column.kind === "claim" };
}

class DataTable {
  constructor(host, columns) {
    Object.assign(this, { host, columns, texts: new Map(), pending: 0 });
    for (const column of columns) if (FORMATS[column.kind]) column.values = column.values.map(v => (v === null ? v : Number(v)));
    this.rows = (columns[0]?.values || []).map((_, i) => columns.map(column => column.values[i]));
    this.form();
    this.grid = host.appendChild(document.createElement("div"));
    this.grid.setAttribute("aria-labelledby", `${host.id}-caption`);
    this.note = host.appendChild(element("p", { className: "print-note" }));
    const style = getComputedStyle(this.grid), widths = columns.map(column => widthOf(column, style));
    // With one line in each row, the browser need not measure the rows.
    const line = Math.ceil(1.4 * parseFloat(style.fontSize) + 0.56 * parseFloat(getComputedStyle(document.documentElement).fontSize)) + 1;
    this.ready = new Promise(done => {
      this.table = new Tabulator(this.grid, {
        data: this.rows, nestedFieldSeparator: false, renderVertical: this.rows.length > 50 ? "virtual" : "basic", maxHeight: "36rem",
        rowHeight: widths.some(({ wraps }) => wraps) ? null : line, placeholder: "No row matches.", columnDefaults: { resizable: "header", headerSortTristate: true }, columnHeaderVertAlign: "bottom",
        initialFilter: row => this.matches(row), printAsHtml: true, printStyled: false,
        printRowRange: () => this.table.getRows("active").slice(0, MOST_PRINTED),
        columns: columns.map((column, i) => ({
          title: column.title, field: String(i), print: column.kind !== "links", width: widths[i].width, variableHeight: widths[i].wraps, cssClass: FORMATS[column.kind] ? "number" : column.kind,
          // The body follows a head that gets the focus outside the frame.
          titleFormatter: () => element("button", { type: "button", textContent: column.title, onfocus: () => this.table.scrollToColumn(String(i), "middle", false) }),
          sorter: (a, b, _, __, ___, direction) => compared(column, a, b, direction),
          formatter: cell => {
            if (i === 0) cell.getElement().setAttribute("role", "rowheader");
            return content(column, cell.getValue());
          },
        })),
      });
      this.table.on("tableBuilt", () => { this.count(); done(this); });
      this.table.on("dataSorted", () => this.moved());
      this.table.on("dataFiltered", () => this.moved());
      this.table.on("scrollVertical", () => this.number());
      this.table.on("renderComplete", () => this.number());
    });
  }

  // Fields above the table.
  form() {
    const field = (text, input) => { this.tool.append(element("label", {}, text, input)); return input; };
    this.tool = element("form", { className: "tool" });
    this.tool.setAttribute("aria-label", `Filter: ${this.host.querySelector(".caption").textContent}`);
    this.search = field("Search", element("input", { type: "search" }));
    this.choices = new Map();
    this.columns.forEach((column, i) => {
      if (column.filter === null) return;
      // Values by their texts: comparing values is faster than formatting them.
      const byText = new Map();
      for (const v of new Set(column.values)) byText.set(shownText(column, v), (byText.get(shownText(column, v)) || new Set()).add(v));
      const values = [...byText.keys()];
      if (values.length < 2) return;
      const select = field(column.title, element("select", {}, new Option("all", ""), ...values.map(v => new Option(v, v))));
      column.start = values.includes(column.filter) ? column.filter : "";
      select.value = column.start;
      this.choices.set(i, select);
      column.byText = byText;
    });
    this.boxes = this.columns.map((column, i) => element("input", { type: "checkbox", name: "column", value: i, checked: true }));
    const boxes = this.boxes.map((box, i) => element("label", {}, box, this.columns[i].title));
    const button = (text, act) => element("button", { type: "button", textContent: text, onclick: act });
    this.copied = element("output", {});
    this.said = element("output", { className: "rows" });
    this.tool.append(
      element("details", { className: "columns" }, element("summary", { textContent: "Columns" }), element("fieldset", {}, ...boxes)),
      button("CSV of these rows", () => this.save()), button("Copy link", () => copyLink(this.fragment(), this.copied)), this.copied, this.said,
    );
    this.tool.addEventListener("submit", event => event.preventDefault());
    const changed = event => {
      if (event.target.name === "column") this.show();
      else this.filter();
      this.remember();
    };
    for (const type of ["input", "change"]) this.tool.addEventListener(type, changed);
    this.tool.addEventListener("toggle", () => this.table.redraw(), true);
    this.host.append(this.tool);
  }

  // Whether a row has all chosen values and all searched words.
  matches(row) {
    for (const [i, select] of this.choices) if (select.value && !this.columns[i].byText.get(select.value).has(row[i])) return false;
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return true;
    if (!this.texts.has(row)) this.texts.set(row, this.columns.map((c, i) => (c.kind === "links" && i ? "" : shownText(c, row[i]))).join("\n").toLowerCase());
    return words.every(word => this.texts.get(row).includes(word));
  }

  filter() {
    this.table.refreshFilter();
    this.count();
  }

  count() {
    const count = this.table.getDataCount("active");
    this.said.textContent = `${count} of ${this.rows.length} rows`;
    this.note.textContent = count > MOST_PRINTED ? `The first ${MOST_PRINTED} of ${count} rows.` : "";
    this.grid.setAttribute("aria-rowcount", count + 1);
    this.number();
  }

  // Rows outside the document count for a screen reader too.
  number() {
    for (const row of this.table.getRows("visible")) row.getElement().setAttribute("aria-rowindex", row.getPosition() + 1);
  }

  show() {
    this.table.blockRedraw();
    this.boxes.forEach((box, i) => this.table[box.checked ? "showColumn" : "hideColumn"](String(i)));
    this.table.restoreRedraw();
  }

  get visible() {
    return this.columns.map((_, i) => i).filter(i => this.boxes[i].checked);
  }

  csv() {
    const line = cells => cells.join(",") + "\n", quoted = title => exported({ kind: "text" }, title);
    const rows = this.table.getData("active").map(row => line(this.visible.map(i => exported(this.columns[i], row[i]))));
    return line(this.visible.map(i => quoted(this.columns[i].title))) + rows.join("");
  }

  save() {
    const href = URL.createObjectURL(new Blob([this.csv()], { type: "text/csv" }));
    element("a", { href, download: `${this.host.id}.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(href), 10000);
  }

  fragment() {
    const q = new URLSearchParams({ name: this.host.id });
    if (this.search.value.trim()) q.set("search", this.search.value.trim());
    for (const [i, select] of this.choices) if (select.value !== this.columns[i].start) q.append("filter", `${this.columns[i].title}:${select.value}`);
    for (const { field, dir } of this.table.getSorters()) q.append("sort", `${this.columns[field].title}:${dir}`);
    this.columns.forEach((column, i) => this.boxes[i].checked || q.append("hide", column.title));
    return "#table?" + q;
  }

  // Show the view of an address; ignore what this table does not have.
  restore(q) {
    const split = text => [text.slice(0, text.lastIndexOf(":")), text.slice(text.lastIndexOf(":") + 1)];
    const filters = new Map(q.getAll("filter").map(text => [text.slice(0, text.indexOf(":")), text.slice(text.indexOf(":") + 1)]));
    this.search.value = q.get("search") || "";
    for (const [i, select] of this.choices) {
      const { title, start } = this.columns[i], value = filters.get(title) ?? start;
      select.value = [...select.options].some(option => option.value === value) ? value : start;
    }
    this.boxes.forEach((box, i) => { box.checked = !q.getAll("hide").includes(this.columns[i].title); });
    const sorters = q.getAll("sort").map(split).map(([title, dir]) => ({ column: String(this.columns.findIndex(c => c.title === title)), dir }));
    this.show();
    this.filter();
    this.table.setSort(sorters.filter(({ column, dir }) => column !== "-1" && ["asc", "desc"].includes(dir)));
  }

  // The reader sorted with the head of a column.
  moved() {
    if (this.grid.contains(document.activeElement)) this.remember();
  }

  remember() {
    clearTimeout(this.pending);
    this.pending = setTimeout(() => history.replaceState(null, "", this.fragment()), 150);
  }
}

const tables = new Map();

function built(host) {
  if (!tables.has(host.id)) {
    host.setAttribute("aria-busy", "true");
    tables.set(host.id, unpacked(host.querySelector("script")).then(columns => new DataTable(host, columns).ready).then(table => {
      host.querySelector(".needs").hidden = true;
      host.removeAttribute("aria-busy");
      return table;
    }));
  }
  return tables.get(host.id);
}

async function restore() {
  if (!location.hash.startsWith("#table?")) return;
  const q = new URLSearchParams(location.hash.slice("#table?".length)), host = document.getElementById(q.get("name"));
  if (!host || !host.matches(".data-table")) return;
  const details = host.closest("details");
  if (details) details.open = true;
  (await built(host)).restore(q);
  host.scrollIntoView();
}

for (const host of document.querySelectorAll(".data-table")) {
  const details = host.closest("details");
  if (details && !details.open) details.addEventListener("toggle", () => built(host), { once: true });
  else built(host);
}
window.addEventListener("hashchange", restore);
restore();

const modified = document.getElementById("modified");
if (modified) modified.textContent = `${document.lastModified} (time stamp of this file, as the browser reports it)`;
}
