"use strict";
// What a link points to is opened; paper shows everything.
(() => {
  const open = (places) => places.forEach((details) => { details.open = true; });
  const follow = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target) open(target.querySelectorAll(":scope > details"));
  };
  addEventListener("hashchange", follow);
  addEventListener("beforeprint", () => open(document.querySelectorAll("details")));
  follow();
})();

// The gallery's filters. Without scripts the page shows every image and every method, in a frame that scrolls.
(() => {
  const PAGE = 8;
  const gallery = document.getElementById("gallery");
  const controls = document.getElementById("gallery-controls");
  if (!gallery || !controls) return;
  const [dataset, label, method, order] = ["dataset", "class", "method", "order"].map((name) =>
    document.getElementById("gallery-" + name));
  const count = document.getElementById("gallery-count");
  const more = document.getElementById("gallery-more");
  const samples = [...gallery.querySelectorAll(".sample")];
  const tilesOf = new Map(samples.map((sample) => [sample, [...sample.querySelectorAll(".tiles > figure")]]));
  let room = PAGE;

  const muOf = (sample) => {
    const tile = tilesOf.get(sample).find((each) => each.dataset.method === method.value);
    return tile && tile.dataset.mu !== "" ? Number(tile.dataset.mu) : -1;
  };

  // the classes of the chosen dataset only; the choice is kept where it is among them
  function listClasses() {
    const chosen = label.value;
    const names = new Set(samples.filter((sample) => sample.dataset.dataset === dataset.value)
      .map((sample) => sample.dataset.class).filter(Boolean));
    label.length = 1;
    for (const name of [...names].sort()) label.add(new Option(name, name));
    label.value = names.has(chosen) ? chosen : "";
  }

  function show() {
    const fits = samples.filter((sample) => sample.dataset.dataset === dataset.value
      && (label.value === "" || sample.dataset.class === label.value));
    const one = method.value !== "";
    order.disabled = !one;
    if (one && order.value !== "") {
      const sign = order.value === "highest" ? -1 : 1;
      fits.sort((a, b) => sign * (muOf(a) - muOf(b)));
    }
    gallery.append(...fits);
    for (const sample of samples) sample.hidden = true;
    for (const sample of fits.slice(0, room)) {
      sample.hidden = false;
      for (const tile of tilesOf.get(sample)) {
        tile.hidden = one && tile.dataset.method !== "" && tile.dataset.method !== method.value;
      }
    }
    gallery.classList.toggle("one-method", one);
    more.hidden = fits.length <= room;
    count.textContent = Math.min(room, fits.length) + " of " + fits.length + (fits.length === 1 ? " image" : " images");
  }

  function restart() {
    room = method.value === "" ? PAGE : 3 * PAGE;
    show();
  }

  dataset.addEventListener("change", () => { listClasses(); restart(); });
  for (const select of [label, method, order]) select.addEventListener("change", restart);
  more.addEventListener("click", () => { room += method.value === "" ? PAGE : 3 * PAGE; show(); });
  controls.hidden = false;
  gallery.classList.add("scripted");
  listClasses();
  restart();
})();
