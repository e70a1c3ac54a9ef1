
const live = document.getElementById("live");

// the same cells as those that the page came with: text, small text, value
function cellsOf(score) {
  const number = (value, factor = 100, digits = 1) => value === null ? "–" : (factor * value).toFixed(digits);
  const percent = (value) => value === null ? "–" : `${(100 * value).toFixed(0)} %`;
  const ratio = score.mu === null ? null : score.mu / score.chance;
  const interval = score.mu_low === null ? "–" : `${number(score.mu_low)}–${number(score.mu_high)}`;
  const lost = [score.nan && `${score.nan} NaN`, score.failed && `${score.failed} failed`].filter(Boolean);
  const made = [score.versions.stackwalls && `stackwalls ${score.versions.stackwalls}`,
    score.certificate_sha256 && `certificate ${score.certificate_sha256.slice(0, 8)}`].filter(Boolean);
  return [
    [score.method], [score.dataset, score.images_are], [score.wall], [live.dataset.name, made.join(" · ")],
    ...[score.native_mu, score.mu, score.mu_std].map((value) => [number(value), "", value]),
    [interval, "", score.mu_low], [number(ratio, 1, 2), "", ratio],
    ...[score.lit, score.pointing].map((value) => [percent(value), "", value]),
    [String(score.n), lost.join(", "), score.n], [percent(score.top1), "", score.top1],
  ];
}

// only numbers and texts of the kind that a score has become a part of the page
function check(score) {
  const texts = ["method", "dataset", "network", "wall", "wall_kind", "images_are", "note", "certificate_sha256"];
  const shares = ["native_mu", "mu", "mu_std", "mu_low", "mu_high", "lit", "pointing", "top1", "chance"];
  const fits = score.format === Number(live.dataset.format) && score.blind === true && score.chance > 0
    && texts.every((name) => typeof score[name] === "string")
    && shares.every((name) => score[name] === null || (score[name] >= 0 && score[name] <= 1))
    && ["n", "nan", "failed"].every((name) => Number.isInteger(score[name]))
    && document.querySelector(`template[data-kind="${CSS.escape(score.wall_kind)}"]`);
  if (!fits) throw new Error("it is not a score");
}

function rowOf(score) {
  const row = document.createElement("tr");
  row.dataset.name = score.method;
  if (score.note) row.title = score.note;
  const labels = [...document.querySelector("template").content.querySelectorAll("thead th")];
  cellsOf(score).forEach(([text, small, value], column) => {
    const cell = row.appendChild(document.createElement(column ? "td" : "th"));
    if (column) cell.dataset.label = labels[column].textContent;
    else cell.scope = "row";
    if (column > 3) cell.dataset.value = value ?? "";
    cell.textContent = text;
    if (column === 3) {
      const link = Object.assign(document.createElement("a"), { href: live.dataset.page, textContent: text });
      cell.replaceChildren(link);
    }
    if (small) cell.append(" ", Object.assign(document.createElement("small"), { textContent: small }));
  });
  return row;
}

function boardOf(score) {
  const there = [...document.querySelectorAll("#blind .board")].find((board) =>
    board.dataset.network === score.network && board.dataset.kind === score.wall_kind);
  if (there) return there;
  const template = document.querySelector(`template[data-kind="${CSS.escape(score.wall_kind)}"]`);
  const board = template.content.firstElementChild.cloneNode(true);
  board.dataset.network = score.network;
  board.querySelector("h3").textContent = score.network;
  board.querySelector("caption").textContent = `${score.network}, ${score.wall_kind}`;
  makeSortable(board.querySelector("table"));
  document.getElementById("blind").append(board);
  return board;
}

// a score that the page came with is not shown twice; where it comes from does not count
function add(score) {
  const [board, row] = [boardOf(score), rowOf(score)];
  const said = (one) => [...one.cells].map((cell, column) => column === 3 ? "" : cell.textContent.replace(/\s+/g, " ").trim()).join("|");
  if ([...board.querySelectorAll("tbody tr")].some((other) => said(other) === said(row))) return false;
  board.querySelector("tbody").prepend(row);
  return true;
}

async function readLatest() {
  const answer = await fetch(live.dataset.address, { credentials: "omit", signal: AbortSignal.timeout(20000) });
  if (!answer.ok) throw new Error(String(answer.status));
  const found = await answer.json();
  const scores = Array.isArray(found) ? found : [found];
  if (scores.length > 10000) throw new Error("too many scores");
  scores.forEach(check);
  const added = scores.filter(add).length;
  list();
  live.textContent = added
    ? `Read just now: ${added} ${added === 1 ? "score" : "scores"} of ${live.dataset.name}, added to those that the page came with.`
    : `Read just now: the latest scores of ${live.dataset.name} are those that the page came with.`;
}

if (location.protocol !== "file:") {
  readLatest().catch(() => {
    live.textContent = `The latest scores of ${live.dataset.name} could not be read: the page shows those that it came with.`;
  });
}
