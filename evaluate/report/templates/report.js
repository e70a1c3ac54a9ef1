"use strict";
// What a link points to is opened; paper shows everything; a small screen begins with the sections folded.
(() => {
  const open = (places) => places.forEach((details) => { details.open = true; });
  if (matchMedia("(max-width: 40rem)").matches) {
    for (const details of document.querySelectorAll("details[data-folds]")) details.open = false;
  }
  const follow = () => {
    const target = document.getElementById(location.hash.slice(1));
    if (target) open(target.querySelectorAll(":scope > details"));
  };
  addEventListener("hashchange", follow);
  addEventListener("beforeprint", () => open(document.querySelectorAll("details")));
  follow();
})();
