// The gallery: one page of figures at a time, filtered and sorted from the list of all images. A thumbnail that is a
// file is loaded when its figure is shown. Without scripts the page shows the figures that it contains, in a frame that
// scrolls.
(() => {
  const at = (name) => document.getElementById("gallery-" + name);
  const gallery = document.getElementById("gallery");
  const { seen, folder, datasets } = JSON.parse(at("data").textContent);
  const [dataset, images, label, method, order] = ["dataset", "images", "class", "method", "order"].map(at);
  const page = matchMedia("(max-width: 40rem)").matches ? 3 : 8;
  const contained = new Map([...gallery.children].map((figure) => [figure.dataset.key, figure]));
  let places = [], first = 0;

  const written = (number) => number.toLocaleString("en");
  const set = () => datasets[dataset.selectedIndex];
  const room = () => method.value === "" ? page : 3 * page;
  const storedOf = (place) => set().stored[place];  // a letter for each map
  const keyOf = (place) => dataset.selectedIndex + "-" + place;

  // the classes of the chosen dataset only; the choice is kept if it is among them
  function describeDataset() {
    const chosen = label.value, { classes, ids, stored } = set();
    label.length = 1;
    for (const name of classes.filter(Boolean).sort()) label.add(new Option(name, name));
    label.value = classes.includes(chosen) ? chosen : "";
    images.options[0].text = "with maps (" + written(Object.keys(stored).length) + ")";
    images.options[1].text = "all (" + written(ids.length) + ")";
    images.parentElement.hidden = Object.keys(stored).length === ids.length;
  }

  /** The places of the images that pass, in order; those without mu last. */
  function passing() {
    const { ids, classes, mu } = set(), wanted = classes.indexOf(label.value), labels = set().class;
    const found = [...ids.keys()].filter((place) => (label.value === "" || labels[place] === wanted)
      && (images.value === "" || storedOf(place)));
    const values = mu[method.value] ?? [], sign = order.value === "highest" ? -1 : 1;
    if (order.disabled || order.value === "") return found;
    const known = found.filter((place) => values[place] !== null);
    known.sort((one, other) => sign * (values[one] - values[other]));
    return [...known, ...found.filter((place) => values[place] === null)];
  }

  function figureOf(place) {
    const inPage = contained.get(keyOf(place));
    if (inPage) return inPage;
    const { ids, captions, caption, mu } = set(), letters = storedOf(place) ?? "";
    const figure = at("sample").content.firstElementChild.cloneNode(true);
    const [name, where, link] = figure.querySelector("figcaption").children;
    const said = name.textContent = captions[caption[place]];
    where.textContent = "(" + set().dataset + ", " + ids[place] + (letters ? ")" : "; its maps are not stored)");
    link.setAttribute("href", "#" + [set().dataset, ids[place]].map(encodeURIComponent).join("/"));
    link.ariaLabel = "Link to " + ids[place];
    figure.dataset.key = keyOf(place);
    figure.classList.toggle("bare", !letters);
    const [photo, ...maps] = figure.querySelectorAll(".tiles > figure");
    photo.firstElementChild.ariaLabel = said + photo.firstElementChild.ariaLabel;
    maps.forEach((tile, number) => {
      const value = mu[tile.dataset.method]?.[place] ?? null, letter = letters[number] ?? "-";
      tile.querySelector("figcaption span").textContent =
        value === null ? (letters && letter === "-" ? "no map" : "no mu") : "mu " + value.toFixed(1);
      tile.firstElementChild.ariaLabel = tile.dataset.method + ": "
        + (letter === "-" ? "no map" : seen[letter.charCodeAt(0) - "a".charCodeAt(0)])
        + (value === null ? "" : "; mu × 100 is " + value.toFixed(1));
      if (letter === "-") tile.firstElementChild.replaceChildren();
    });
    if (letters) load(figure, folder + "/" + keyOf(place) + ".webp");
    return figure;
  }

  function load(figure, source) {
    figure.style.setProperty("--sprite", "url(" + source + ")");
    const probe = new Image();
    probe.addEventListener("error", () => { at("lost").hidden = false; });
    probe.src = source;
  }

  function draw() {
    const shown = places.slice(first, first + room()), one = method.value !== "";
    gallery.replaceChildren(...shown.map(figureOf));
    for (const tile of gallery.querySelectorAll("[data-method]")) {
      tile.hidden = one && tile.dataset.method !== method.value;
    }
    gallery.classList.toggle("one-method", one);
    at("back").hidden = first === 0;
    at("next").hidden = first + room() >= places.length;
    const [from, to, all] = [first + 1, first + shown.length, places.length].map(written);
    const counted = from + "–" + to + " of " + all + (all === "1" ? " image" : " images");
    at("count").textContent = places.length ? counted : "no images";
  }

  function restart() {
    order.disabled = method.value === "";
    [places, first] = [passing(), 0];
    draw();
  }

  function turn(pages) {
    first = Math.max(0, first + pages * room());
    draw();
    gallery.focus({ preventScroll: true });
    at("controls").scrollIntoView();
  }

  function decoded(text) {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  }

  /** Show the image that the address names, #dataset/image_id, and all its maps. */
  function follow() {
    const [name, ...id] = location.hash.slice(1).split("/");
    if (!id.length) return;
    const [wanted, imageId] = [name, id.join("/")].map(decoded);
    const number = datasets.findIndex((each) => each.dataset === wanted);
    const place = number < 0 ? -1 : datasets[number].ids.indexOf(imageId);
    if (place < 0) return;
    const find = () => gallery.querySelector('[data-key="' + number + "-" + place + '"]');
    if (!find()) {
      dataset.selectedIndex = number;
      for (const select of [label, method, order]) select.value = "";
      images.value = storedOf(place) ? "stored" : "";
      describeDataset();
      restart();
      first = Math.floor(places.indexOf(place) / room()) * room();
      draw();
    }
    find().focus({ preventScroll: true });
    find().scrollIntoView();
  }

  dataset.addEventListener("change", () => { describeDataset(); restart(); });
  for (const select of [images, label, method, order]) select.addEventListener("change", restart);
  at("back").addEventListener("click", () => turn(-1));
  at("next").addEventListener("click", () => turn(1));
  addEventListener("hashchange", follow);
  at("controls").hidden = false;
  gallery.classList.add("scripted");
  gallery.tabIndex = -1;
  describeDataset();
  restart();
  follow();
})();
