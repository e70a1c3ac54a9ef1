// The review page: one large image, an overview, and the list of rejected samples. Loads nothing from elsewhere.

const PER_PAGE = 60;
const CLASS_OF = { "keep": "keep", "rejected": "down", "undecided": "" };
const SAID = { "keep": "kept", "rejected": "rejected", "undecided": "undecided" };
const MEASURED = /_(score|share)$|^background$/;  // shown first: what a decision may hang on
const CRITERIA = {
  "stack-mix": (name) => [`both parts show “${name}”`, "the visible part alone is enough to recognize it",
    "the part in the dead zone shows some of the other one, not only background"],
  "stack-gen": (name, thing) => [`it shows two ${thing}s, both recognizable as “${name}”`,
    "one is outside the dead zone and can be recognized there", "most of the other is in the dead zone",
    `nothing else attracts attention: no third ${thing}, no text, no frame`],
};
const SVG = "http://www.w3.org/2000/svg";

const at = (id) => document.getElementById(id);
const state = { set: null, verdicts: [], row: 0, shown: null, page: 0, view: "single" };
let waiting = Promise.resolve();

/** Run steps in order, however fast keys are pressed; a failure is shown and does not stop later steps. */
function queue(step) {
  waiting = waiting.then(step).then(() => complain(""), (error) => complain(error.message));
  return waiting;
}

async function ask(path, body) {
  const options = body === undefined ? {} : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  };
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("stackgen review is no longer running; nothing was saved. Start it again and open its new address.");
  }
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.error);
  return content;
}

function complain(message) {
  at("alert").textContent = message;
  at("alert").hidden = !message;
}

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

// ---- which rows are shown -------------------------------------------------------------------------------------

function passes(row) {
  const wanted = at("filter").value, label = at("class").value;
  return (wanted === "all" || state.verdicts[row] === wanted) && (label === "" || String(state.set.labels[row]) === label);
}

/** The next row in a direction that passes, or -1. */
function find(row, step, test = passes) {
  for (let next = row + step; next >= 0 && next < state.verdicts.length; next += step) if (test(next)) return next;
  return -1;
}

function passing() {
  return state.verdicts.map((_, row) => row).filter(passes);
}

// ---- one image ------------------------------------------------------------------------------------------------

async function show(row) {
  state.row = row;
  const shown = await ask(`row/${row}`);
  state.shown = shown;
  state.verdicts[row] = shown.verdict;
  at("image").src = `image/${row}`;
  at("image").alt = `${shown.class}, ${shown.image_id}: ${marked(shown).map(([, , text]) => text).join(", ")} are outlined`;
  at("title").textContent = shown.class;
  at("place").textContent = `${shown.image_id} · ${row + 1} of ${state.verdicts.length}`;
  at("comment").value = shown.comment;
  at("criteria").querySelector("ul").replaceChildren(
    ...CRITERIA[state.set.kind](shown.class, state.set.thing).map((text) => element("li", text)));
  drawVerdict();
  drawMarks(shown);
  drawCaption(shown);
  at("back").disabled = find(row, -1) < 0;
  at("next").disabled = find(row, 1) < 0;
  history.replaceState(null, "", `#${encodeURIComponent(shown.image_id)}`);
  const ahead = find(row, 1);
  if (ahead >= 0) new Image().src = `image/${ahead}`;
}

function drawVerdict() {
  const { verdict, comment } = state.shown;
  at("verdict").textContent = verdict === "undecided" ? "Undecided" : verdict === "keep" ? "Kept" : "Rejected";
  if (comment) at("verdict").textContent += ", with a comment";
  at("verdict").className = CLASS_OF[verdict];
  for (const [id, each] of [["keep", "keep"], ["down", "rejected"], ["undecide", "undecided"]]) {
    at(id).setAttribute("aria-pressed", each === verdict);
  }
}

const WORDS = { seen: (thing) => `visible ${thing}`, hidden: (thing) => `${thing} behind the wall` };

/** What is outlined: name, rectangles, words. The wall comes first, so that it lies under the boxes. */
function marked(shown) {
  const boxes = Object.entries(shown.boxes).map(([name, box]) => [name, [box], WORDS[name]?.(state.set.thing) ?? name]);
  return [["wall", state.set.wall.marks, `dead zone, ${state.set.wall.text}`], ...boxes];
}

function drawMarks(shown) {
  const marks = marked(shown);
  const outline = (name, boxes) => ["under", "over"].flatMap((layer) => boxes.map((box) => {
    const rect = document.createElementNS(SVG, "rect");
    for (const [key, value] of [["x", box.left], ["y", box.top], ["width", box.width], ["height", box.height]]) {
      rect.setAttribute(key, value);
    }
    rect.setAttribute("class", layer === "under" ? (name === "wall" ? "under rim" : "under") : `over ${name in WORDS || name === "wall" ? name : "other"}`);
    return rect;
  }));
  at("marks").replaceChildren(...marks.flatMap(([name, boxes]) => outline(name, boxes)));
  at("legend").replaceChildren(...marks.map(([name, , text]) => element("span", text, name)));
}

function drawCaption(shown) {
  const first = (entry) => MEASURED.test(entry.name) ? 0 : 1;
  const entries = [...shown.caption].sort((a, b) => first(a) - first(b));
  at("caption").replaceChildren(...entries.flatMap(({ name, value, meaning }) => {
    const term = element("dt", name.replaceAll("_", " "));
    term.title = meaning;
    return [term, element("dd", value, /^[0-9a-f]{40,}$/.test(value) ? "code" : "")];
  }));
}

async function decide(verdict, comment, goOn) {
  const decided = await ask("decide", { row: state.row, verdict, comment });
  state.verdicts[decided.row] = decided.verdict;
  Object.assign(state.shown, { verdict: decided.verdict, comment: decided.comment });
  drawCounts();
  drawVerdict();
  if (!goOn) return;
  const next = find(state.row, 1);
  if (next >= 0) return show(next);
  const left = state.verdicts.filter((each) => each === "undecided").length;
  at("verdict").textContent += `. This was the last image shown; ${left ? `${left} undecided (press n)` : "all images are decided"}.`;
}

function move(step) {
  const next = find(state.row, step);
  if (next >= 0) return show(next);
}

function jump() {
  const undecided = (row) => state.verdicts[row] === "undecided" && (at("class").value === "" || passesClass(row));
  let next = find(state.row, 1, undecided);
  if (next < 0) next = find(-1, 1, undecided);
  if (next < 0) throw new Error("All images are decided.");
  if (at("filter").value !== "undecided") at("filter").value = "all";
  return show(next);
}

const passesClass = (row) => String(state.set.labels[row]) === at("class").value;

function drawCounts() {
  const all = state.verdicts.length;
  const keep = state.verdicts.filter((verdict) => verdict === "keep").length;
  const down = state.verdicts.filter((verdict) => verdict === "rejected").length;
  at("counts").textContent = `${keep} kept · ${down} rejected · ${all - keep - down} undecided`;
  const bar = at("progress");
  bar.setAttribute("aria-valuemax", all);
  bar.setAttribute("aria-valuenow", keep + down);
  bar.querySelector(".keep").style.width = `${100 * keep / all}%`;
  bar.querySelector(".down").style.width = `${100 * down / all}%`;
}

// ---- the overview and the list of rejected samples ------------------------------------------------------------

function drawGrid() {
  const rows = passing(), pages = Math.max(1, Math.ceil(rows.length / PER_PAGE));
  state.page = Math.min(Math.max(state.page, 0), pages - 1);
  at("page").textContent = `page ${state.page + 1} of ${pages} · ${rows.length} image${rows.length === 1 ? "" : "s"}`;
  at("page-back").disabled = state.page === 0;
  at("page-next").disabled = state.page === pages - 1;
  at("none").hidden = rows.length > 0;
  at("tiles").replaceChildren(...rows.slice(state.page * PER_PAGE, (state.page + 1) * PER_PAGE).map(tile));
}

function tile(row) {
  const button = element("button", undefined, CLASS_OF[state.verdicts[row]]);
  const name = state.set.classes[state.set.labels[row]];
  button.type = "button";
  button.setAttribute("aria-label", `${name}, ${state.set.ids[row]}, ${SAID[state.verdicts[row]]}`);
  if (row === state.row) button.classList.add("here");
  const image = element("img");
  Object.assign(image, { loading: "lazy", alt: "", src: `image/${row}` });
  button.append(image, element("span", name));
  button.addEventListener("click", () => queue(async () => { await show(row); view("single"); }));
  const item = element("li");
  item.append(button);
  return item;
}

async function moreRejected() {
  const body = at("reasons");
  const list = await ask(`rejected/${body.children.length}`);
  body.append(...list.items.map(({ item, reason }) => {
    const line = element("tr");
    line.append(element("td", item), element("td", reason));
    return line;
  }));
  at("more").hidden = body.children.length >= list.of;
}

function view(name) {
  state.view = name;
  for (const id of ["single", "grid", "rejected"]) at(id).hidden = id !== name;
  at("to-grid").setAttribute("aria-pressed", name === "grid");
  at("to-rejected").setAttribute("aria-pressed", name === "rejected");
  if (name === "single") at("title").focus({ preventScroll: true });
  if (name === "grid") {
    state.page = Math.floor(Math.max(0, passing().indexOf(state.row)) / PER_PAGE);
    drawGrid();
  }
  if (name === "rejected" && !at("reasons").children.length) queue(moreRejected);
}

const toggle = (name) => view(state.view === name ? "single" : name);

/** After a change of the filter: show the nearest row that passes; if there is none, the overview says so. */
function refilter() {
  state.page = 0;
  if (state.view === "grid") drawGrid();
  queue(async () => {
    let row = passes(state.row) ? state.row : find(state.row, 1);
    if (row < 0) row = find(state.row, -1);
    if (row >= 0) return show(row);
    view("grid");
  });
}

// ---- keys and buttons -----------------------------------------------------------------------------------------

const comment = () => at("comment").value;
const ACTIONS = {
  "k": () => queue(() => decide("keep", comment(), true)),
  "x": () => queue(() => decide("rejected", comment(), true)),
  "u": () => queue(() => decide("undecided", comment(), false)),
  "ArrowLeft": () => queue(() => move(-1)),
  "ArrowRight": () => queue(() => move(1)),
  "n": () => queue(jump),
  "c": () => at("comment").focus(),
  "m": () => at("frame").classList.toggle("bare"),
};

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || at("help").open) return;
  if (event.target === at("comment")) {
    if (event.key === "Escape") { at("comment").value = state.shown.comment; at("title").focus(); }
    else if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); at("title").focus(); }  // which stores it
    return;
  }
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.target.tagName === "SELECT" && key !== "Escape") return;
  if (key === "?") at("help").showModal();
  else if (key === "g" || (key === "Escape" && state.view !== "single")) toggle(key === "g" ? "grid" : state.view);
  else if (state.view === "single" && key in ACTIONS) ACTIONS[key]();
  else return;
  event.preventDefault();
}

function storeComment() {
  if (comment().trim() !== state.shown.comment) {
    const text = comment(), row = state.row;
    queue(() => row === state.row ? decide(state.shown.verdict, text, false) : undefined);
  }
}

function connect() {
  document.addEventListener("keydown", onKey);
  const clicks = {
    "keep": ACTIONS.k, "down": ACTIONS.x, "undecide": ACTIONS.u, "back": ACTIONS.ArrowLeft, "next": ACTIONS.ArrowRight,
    "jump": ACTIONS.n, "to-grid": () => toggle("grid"), "to-rejected": () => toggle("rejected"),
    "to-help": () => at("help").showModal(), "more": () => queue(moreRejected),
    "page-back": () => { state.page -= 1; drawGrid(); }, "page-next": () => { state.page += 1; drawGrid(); },
  };
  for (const [id, action] of Object.entries(clicks)) at(id).addEventListener("click", action);
  at("filter").addEventListener("change", refilter);
  at("class").addEventListener("change", refilter);
  at("comment").addEventListener("change", storeComment);
}

async function begin() {
  const set = state.set = await ask("set");
  state.verdicts = set.ids.map((id) => set.verdicts[id] ?? "undecided");
  document.title = `${set.name} · review`;
  at("name").textContent = set.name;
  at("kind").textContent = `${set.kind}, wall ${set.wall.text}`;
  at("redo").textContent = set.redo;
  at("to-rejected").hidden = !set.rejected;
  at("to-rejected").textContent = `Given up: ${set.rejected}`;
  const classes = Object.entries(set.classes).sort(([, a], [, b]) => a.localeCompare(b));
  for (const [label, name] of classes) at("class").append(new Option(name, label));
  connect();
  drawCounts();
  const named = set.ids.indexOf(decodeURIComponent(location.hash.slice(1)));
  const undecided = state.verdicts.indexOf("undecided");
  await show(named >= 0 ? named : Math.max(0, undecided));
  view("single");
}

queue(begin);
