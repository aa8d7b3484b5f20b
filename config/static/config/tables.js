// A table wider than the screen scrolls; so that a keyboard can scroll it too, it takes focus
// and says what it is.
function reach(root) {
  for (const region of root.querySelectorAll(".table-responsive")) {
    const scrolls = region.scrollWidth > region.clientWidth;
    region.toggleAttribute("tabindex", false);
    if (!scrolls) {
      region.removeAttribute("role");
      region.removeAttribute("aria-label");
      continue;
    }
    region.tabIndex = 0;
    region.setAttribute("role", "region");
    region.setAttribute("aria-label", region.querySelector("caption")?.textContent.trim() || "Table");
  }
}

reach(document);
window.addEventListener("resize", () => reach(document));
document.addEventListener("htmx:afterSettle", () => reach(document));
