// the search reads a leading dash as "not", and the names of options begin with two
document.addEventListener("input", ({ target }) => {
  if (target.matches(".md-search__input")) target.value = target.value.replace(/(^|\s)-+/g, "$1")
}, true)

// tables that scroll can be reached by keyboard; the theme wraps them after this event
document$.subscribe(() => setTimeout(() => {
  document.querySelectorAll(".md-typeset__scrollwrap").forEach((table) => { table.tabIndex = 0 })
}))
