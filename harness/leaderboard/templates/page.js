"use strict";
(() => {
  const island = JSON.parse(document.getElementById("island").textContent);
  const board = document.getElementById("board");
  const dialog = document.getElementById("details");

  const make = (name, text, className) => {
    const element = document.createElement(name);
    if (text !== undefined) element.textContent = text;
    if (className) element.className = className;
    return element;
  };

  const add = (parent, ...children) => {
    for (const child of children) if (child) parent.append(child);
    return parent;
  };

  const copy = async (text, button) => {
    const said = button.textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = make("textarea", text);
      const host = dialog.open ? dialog : document.body;
      host.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    button.textContent = "copied";
    setTimeout(() => { button.textContent = said; }, 1200);
  };

  const sorted = (head, number) => {
    const first = number === 1 || number === 2 ? "ascending" : "descending";
    const next = { ascending: "descending", descending: "ascending" };
    const order = head.hasAttribute("aria-sort") ? next[head.getAttribute("aria-sort")] : first;
    for (const other of board.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const compare = (one, other) => {
      const [a, b] = [one, other].map((row) => row.cells[number].dataset.sort);
      if (a === "" || b === "") return (a === "") - (b === "");
      return sign * (number === 1 || number === 2 ? a.localeCompare(b, "en") : Number(a) - Number(b));
    };
    for (const body of board.tBodies) {
      body.append(...[...body.rows].filter((row) => !row.classList.contains("heading")).sort(compare));
    }
  };

  [...board.tHead.rows[0].cells].forEach((head, number) => {
    const button = make("button", undefined, "sort");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sorted(head, number));
  });

  const filter = document.getElementById("filter");
  const filtered = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    let all = 0;
    for (const body of board.tBodies) {
      for (const row of body.rows) {
        if (row.classList.contains("heading")) continue;
        const text = `${row.cells[1].textContent} ${row.cells[2].textContent}`.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        shown += row.hidden ? 0 : 1;
        all += 1;
      }
    }
    document.getElementById("count").textContent = shown === all ? "" : `${shown} of ${all} rows`;
  };
  filter.addEventListener("input", filtered);

  const facts = (values) => {
    const list = make("dl");
    for (const [name, value] of Object.entries(values)) add(list, make("dt", name), make("dd", value));
    return list;
  };

  const table = (names, rows) => {
    const head = add(make("tr"), ...names.map((name) => make("th", name)));
    const body = rows.map((cells) => add(make("tr"), ...cells.map((cell) => add(make("td"), cell))));
    return add(make("table"), add(make("thead"), head), add(make("tbody"), ...body));
  };

  const command = (text) => {
    if (!text) return make("span");
    const button = make("button", "copy", "copy");
    button.type = "button";
    button.addEventListener("click", () => copy(text, button));
    return add(make("span"), make("code", text), " ", button);
  };

  const fold = (title, ...content) => add(make("details"), add(make("summary"), make("b", title)), ...content);

  const cell = (value) => {
    const title = add(make("b", value.title), make("span", value.metric, "metric"));
    const summary = add(make("summary"), title, make("span", value.mean), make("span", value.span, "span"));
    const seeds = value.seeds.map((seed) => [
      make("span", String(seed.seed)),
      make("span", seed.value || seed.status, seed.value ? "" : "span"),
      command(seed.command),
    ]);
    const others = value.comparisons.map((other) => [
      make("span", other.other),
      make("span", other.difference),
      make("span", other.p),
      make("span", other.separable ? "separable" : "tied"),
    ]);
    const metrics = value.metrics.map((one) => [
      make("span", one.metric),
      make("span", one.mean),
      make("span", one.span, "span"),
      make("span", one.chance, "span"),
      make("span", one.seeds, "span"),
    ]);
    return add(
      make("details"),
      summary,
      facts(value.facts),
      metrics.length ? table(["metric", "mean", "95 %", "chance", "seeds"], metrics) : null,
      seeds.length ? table(["seed", "value", "the whole run"], seeds) : null,
      others.length ? make("h3", "Against the others, paired") : null,
      others.length ? table(["row", "difference [95 %]", "p (Holm)", "verdict"], others) : null,
      Object.keys(value.protocol).length ? make("h3", "Protocol") : null,
      facts(value.protocol),
    );
  };

  const opened = (row) => {
    const value = island.rows[row];
    document.getElementById("details-title").textContent = value.title;
    const body = document.getElementById("details-body");
    body.replaceChildren(facts(value.facts), ...value.cells.map(cell), fold("Provenance", facts(value.provenance)));
    const first = body.querySelector("details");
    if (first) first.open = true;
    dialog.showModal();
    dialog.scrollTop = 0;
  };

  for (const button of board.querySelectorAll(".open")) {
    button.addEventListener("click", () => opened(Number(button.dataset.row)));
  }
  document.getElementById("close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", () => copy(island[button.dataset.copy], button));
  }
  document.body.classList.add("scripted-page");
  for (const part of document.querySelectorAll(".tools, .scripted")) part.hidden = false;

  // `ast` makes Vega interpret its expressions: the page's policy forbids code made from text.
  const options = { ast: true, actions: false, renderer: "svg", defaultStyle: false, tooltip: { disableDefaultStyle: true } };
  const draw = (host, specification) => {
    const drawing = make("div");
    window.vegaEmbed(drawing, specification, options).then(() => host.replaceChildren(drawing), () => {});
  };
  draw(document.getElementById("plot"), island.plot);
  for (const host of document.querySelectorAll("[data-plot]")) draw(host, island.plots[host.dataset.plot]);
})();
