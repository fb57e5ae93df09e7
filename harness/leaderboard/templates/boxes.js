// Boxes that scroll sideways and hold nothing to focus: the keyboard reaches them, and they have a name.
(() => {
  const named = (box) => box.closest("article, section").querySelector("h2, h3").textContent;
  const watcher = new ResizeObserver((entries) => {
    for (const { target: box } of entries) {
      const scrolls = box.scrollWidth > box.clientWidth && !box.querySelector("a, button");
      const wanted = scrolls ? { tabindex: "0", role: "group", "aria-label": named(box) } : {};
      for (const name of ["tabindex", "role", "aria-label"]) {
        if (name in wanted) box.setAttribute(name, wanted[name]);
        else box.removeAttribute(name);
      }
    }
  });
  for (const box of document.querySelectorAll("main :is(.scroll, .figure, pre)")) watcher.observe(box);
  // Browsers are content with a few pixels of what has the focus; names that stay in place are in view already.
  addEventListener("focusin", ({ target }) => {
    if (!target.closest(".scroll") || target.closest(".who") || !target.matches(":focus-visible")) return;
    target.scrollIntoView({ block: "nearest", inline: "nearest" });
  });
})();
