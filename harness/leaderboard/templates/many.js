// Added to pages of many rows: of each table some rows are drawn, and more when a reader comes to their end.
(() => {
  const step = 100;
  const collator = new Intl.Collator("en");

  const sorted = (table, head) => {
    const number = head.cellIndex;
    const words = number === 1 || number === 2;
    const next = { ascending: "descending", descending: "ascending" };
    const order = next[head.getAttribute("aria-sort")] || (words ? "ascending" : "descending");
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const value = (row) => row.cells[number].dataset.sort;
    const compare = ([a], [b]) => {
      if (a === "" || b === "") return (a === "") - (b === "");
      return sign * (words ? collator.compare(a, b) : a - b);
    };
    for (const body of table.tBodies) {
      const rows = [...body.rows];
      const keyed = rows.filter((row) => row.className !== "heading").map((row) => [value(row), row]);
      body.replaceChildren();  // thousands of rows move faster out of nothing than within their table
      body.append(...rows.filter((row) => row.className === "heading"), ...keyed.sort(compare).map(([, row]) => row));
    }
  };

  for (const table of document.querySelectorAll("main table")) {
    const rows = () => [...table.tBodies].flatMap((body) => [...body.rows]).filter((row) => !row.classList.contains("heading"));
    if (rows().length <= 2 * step) continue;
    const end = document.createElement("p");
    end.className = "legend";
    table.parentElement.after(end);
    let wanted = step;
    const draw = () => {
      let matching = 0;
      for (const row of rows()) {
        row.classList.toggle("later", !row.hidden && matching >= wanted);
        if (!row.hidden) matching += 1;
      }
      end.textContent = matching > wanted ? `${matching - wanted} more rows further down` : "";
      end.hidden = matching <= wanted;
      if (!end.hidden) {
        watcher.unobserve(end);
        watcher.observe(end);
      }
    };
    const watcher = new IntersectionObserver((entries) => {
      if (!entries.at(-1).isIntersecting) return;
      wanted += step;
      draw();
    }, { rootMargin: "600px" });
    const again = () => { wanted = step; draw(); };
    draw();
    if (table.id === "board") {
      table.tHead.addEventListener("click", (event) => {
        event.stopPropagation();  // before the page's own way, which takes seconds for thousands of rows
        sorted(table, event.target.closest("th"));
        again();
      }, true);
      document.getElementById("filter").addEventListener("input", again);
    }
  }
})();
