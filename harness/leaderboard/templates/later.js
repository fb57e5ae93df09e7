// Rows of large tables: some are drawn, and more when a reader comes to their end.
const later = (() => {
  const step = 100;
  const collator = new Intl.Collator("en");
  const isHeading = (row) => row.classList.contains("heading");
  const rowsOf = (body) => [...body.rows].filter((row) => !isHeading(row));

  const sort = (table, head, wanted) => {
    const number = head.cellIndex;
    const words = !["rank", "number", "seeds"].some((name) => head.classList.contains(name));
    const next = { ascending: "descending", descending: "ascending" };
    const order = wanted || next[head.getAttribute("aria-sort")] || (words ? "ascending" : "descending");
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const value = (row) => row.cells[number].dataset.sort ?? row.cells[number].textContent;
    const compare = ([a], [b]) => {
      if (a === "" || b === "") return (a === "") - (b === "");
      return sign * (words ? collator.compare(a, b) : a - b);
    };
    for (const body of table.tBodies) {
      const headings = [...body.rows].filter(isHeading);
      const keyed = rowsOf(body).map((row) => [value(row), row]);
      body.replaceChildren();  // thousands of rows move faster out of nothing than within their table
      body.append(...headings, ...keyed.sort(compare).map(([, row]) => row));
    }
  };

  // Draws the first rows of a table, and gives a function that does so again once others are hidden or in front.
  const watch = (table) => {
    const end = document.createElement("p");
    end.className = "legend";
    table.parentElement.after(end);
    let wanted = step;
    const draw = () => {
      let matching = 0;
      for (const body of table.tBodies) {
        const before = matching;
        for (const row of rowsOf(body)) {
          row.classList.toggle("later", !row.hidden && matching >= wanted);
          if (!row.hidden) matching += 1;
        }
        for (const row of body.rows) {
          if (!isHeading(row)) break;
          row.classList.toggle("later", before === matching || before >= wanted);
        }
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
    draw();
    return () => { wanted = step; draw(); };
  };

  const isLarge = (table) => [...table.tBodies].flatMap(rowsOf).length > 2 * step;

  return { sort, watch, isLarge, rowsOf };
})();
