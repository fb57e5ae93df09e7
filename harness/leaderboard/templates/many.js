// Added to pages of many rows.
(() => {
  for (const table of document.querySelectorAll("main table")) {
    if (!later.isLarge(table)) continue;
    const again = later.watch(table);
    if (table.id === "board") {
      table.tHead.addEventListener("click", (event) => {
        event.stopPropagation();  // before the page's own way, which takes seconds for thousands of rows
        later.sort(table, event.target.closest("th"));
        again();
      }, true);
      document.getElementById("filter").addEventListener("input", again);
    }
  }
})();
