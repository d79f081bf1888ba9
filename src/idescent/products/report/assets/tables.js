// Every <table data-tool> gets buttons that sort in its head, and fields that filter above it.
function toolUp(table) {
  const heads = [...table.tHead.rows[0].cells];
  const rows = [...table.tBodies[0].rows];
  const original = new Map(rows.map((row, i) => [row, i]));
  const tool = document.createElement("form");
  tool.className = "tool";
  tool.setAttribute("aria-label", "Filter: " + table.caption.textContent);
  tool.addEventListener("submit", event => event.preventDefault());
  const search = labelled(tool, "Search", document.createElement("input"));
  search.type = "search";
  const choices = [];
  heads.forEach((head, column) => {
    if (!head.hasAttribute("data-filter")) return;
    const values = [...new Set(rows.map(row => row.cells[column].textContent))];
    if (values.length < 2) return;
    const select = labelled(tool, head.textContent, document.createElement("select"));
    select.add(new Option("all", ""));
    values.forEach(value => select.add(new Option(value, value)));
    if (values.includes(head.dataset.filter)) select.value = head.dataset.filter;
    choices.push([column, select]);
  });
  const said = document.createElement("output");
  tool.append(said);
  table.parentElement.before(tool);

  function filter() {
    const wanted = search.value.trim().toLowerCase();
    let shown = 0;
    for (const row of rows) {
      row.hidden = !(choices.every(([column, { value }]) => !value || row.cells[column].textContent === value)
        && (!wanted || row.textContent.toLowerCase().includes(wanted)));
      shown += !row.hidden;
    }
    said.textContent = `${shown} of ${rows.length} rows`;
  }

  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      heads.forEach(other => other.removeAttribute("aria-sort"));
      const order = { null: "ascending", ascending: "descending" }[before];
      if (order) head.setAttribute("aria-sort", order);
      const compare = order
        ? (a, b) => ordered(key(a, column), key(b, column), order)
        : (a, b) => original.get(a) - original.get(b);
      table.tBodies[0].append(...rows.slice().sort(compare));
    });
  });
  tool.addEventListener("input", filter);
  filter();
}

function labelled(parent, text, field) {
  const label = document.createElement("label");
  label.append(text, field);
  parent.append(label);
  return field;
}

// Sort key of a cell: its number or else its text; null for an empty cell, which comes last in either order.
function key(row, column) {
  const cell = row.cells[column];
  const from = cell.dataset.value !== undefined ? cell : cell.querySelector("[data-value]");
  if (!from) return cell.textContent === "–" ? null : cell.textContent;
  return from.dataset.value === "" ? null : Number(from.dataset.value);
}

function ordered(a, b, order) {
  if (a === null || b === null) return (a === null) - (b === null);
  const sign = order === "ascending" ? 1 : -1;
  if (typeof a === "number" && typeof b === "number") return sign * (a - b);
  return sign * String(a).localeCompare(String(b), "en", { numeric: true });
}

document.querySelectorAll("table[data-tool]").forEach(toolUp);
const modified = document.getElementById("modified");
if (modified) modified.textContent = `${document.lastModified} (time stamp of this file, as the browser reports it)`;
