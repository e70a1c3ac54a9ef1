const filters = document.getElementById("filters");
const [method, network, kind] = ["method", "network", "kind"].map((id) => document.getElementById(id));

function filter() {
  const wanted = method.value.trim().toLowerCase();
  let shown = 0, all = 0;
  for (const board of document.querySelectorAll(".board")) {
    const fits = [[network, "network"], [kind, "kind"]].every(([select, name]) =>
      select.value === "" || select.value === board.dataset[name]);
    const rows = [...board.querySelectorAll("tbody tr")];
    for (const row of rows) row.hidden = !fits || !row.dataset.name.toLowerCase().includes(wanted);
    const left = rows.filter((row) => !row.hidden).length;
    board.hidden = left === 0;
    shown += left;
    all += rows.length;
  }
  for (const part of document.querySelectorAll("#blind, #not-blind")) {
    part.hidden = !part.querySelector(".board:not([hidden])");
  }
  document.getElementById("count").textContent = `${shown} of ${all} ${all === 1 ? "score" : "scores"}`;
}

// the choices are those of the tables that are there
function list() {
  const boards = [...document.querySelectorAll(".board")];
  for (const [select, name] of [[network, "network"], [kind, "kind"]]) {
    const chosen = select.value;
    select.length = 1;
    for (const value of [...new Set(boards.map((board) => board.dataset[name]))].sort()) {
      select.add(new Option(value, value));
    }
    select.value = chosen;
  }
  filter();
}

filters.addEventListener("submit", (event) => event.preventDefault());
filters.addEventListener("input", filter);
filters.hidden = false;
list();
