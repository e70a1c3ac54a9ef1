"use strict";
// Tables of the class "sortable": each heading becomes a button that sorts, and a long table gets a field that filters
// its rows, unless it is "filtered" by the page's own fields. Without scripts they are plain tables. A cell sorts by its
// `data-value`, or by its text; what is undefined stays last. Returns what does this to a table that is added later.
const makeSortable = (() => {
  const FEWEST = 5;  // rows that need a filter
  const NUMBER = /^[<>]?\s*([+-]?\d+(\.\d+)?(e[+-]?\d+)?|[+-]?∞)/;
  const UNDEFINED = /^(–|n < \d+)?$/;
  const rowsOf = (table) => [...table.tBodies[0].rows];
  const valueOf = (cell) => (cell.dataset.value ?? cell.textContent).trim().replace("−", "-");
  const numberOf = (value) => Number(value.match(NUMBER)[1].replace("∞", "Infinity"));

  function sort(table, head, heads) {
    const rising = head.ariaSort !== "ascending", column = head.cellIndex;
    for (const other of heads) other.ariaSort = other === head ? (rising ? "ascending" : "descending") : null;
    const entries = rowsOf(table).map((row) => ({ row, value: valueOf(row.cells[column]) }));
    const known = entries.filter(({ value }) => !UNDEFINED.test(value));
    const compare = known.every(({ value }) => NUMBER.test(value))
      ? (one, other) => numberOf(one.value) - numberOf(other.value)
      : (one, other) => one.value.localeCompare(other.value);
    known.sort((one, other) => rising ? compare(one, other) : compare(other, one));
    const rest = entries.filter(({ value }) => UNDEFINED.test(value));
    table.tBodies[0].append(...[...known, ...rest].map(({ row }) => row));
  }

  function filter(table, words, count) {
    const rows = rowsOf(table);
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
    const shown = rows.filter((row) => !row.hidden).length;
    count.textContent = words.length ? shown + " of " + rows.length + (rows.length === 1 ? " row" : " rows") : "";
  }

  function addFilter(table) {
    const [label, field, count] = ["label", "input", "output"].map((name) => document.createElement(name));
    field.type = "search";
    field.addEventListener("input", () => filter(table, field.value.toLowerCase().split(/\s+/).filter(Boolean), count));
    label.className = "table-filter";
    label.append("Filter rows ", field, " ", count);
    (table.closest(".scroll") ?? table).before(label);
  }

  function makeSortable(table) {
    const heads = [...table.tHead.rows[0].cells];
    for (const head of heads) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => sort(table, head, heads));
      head.append(button);
    }
    if (rowsOf(table).length > FEWEST && !table.classList.contains("filtered")) addFilter(table);
  }

  document.querySelectorAll("table.sortable").forEach(makeSortable);
  return makeSortable;
})();
