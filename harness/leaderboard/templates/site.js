"use strict";
(() => {
  for (const table of document.querySelectorAll("main table:not(#board)")) {
    if (later.isLarge(table)) later.watch(table);
  }
  const board = document.getElementById("board");
  if (!board) return;
  const { facets } = JSON.parse(document.getElementById("island").textContent);
  const heads = [...board.tHead.rows[0].cells];
  const again = later.watch(board);
  const search = document.getElementById("filter");
  const rows = [...board.tBodies].flatMap((body) => later.rowsOf(body)).map((row) => ({
    row,
    codes: row.dataset.is.split(" ").map((codes) => codes.split(",")),
    text: "",
  }));
  const selects = new Map();

  const option = (text, value) => {
    const made = document.createElement("option");
    made.textContent = text;
    made.value = value;
    return made;
  };

  facets.forEach((facet, place) => {
    if (facet.values.length < 2) return;
    const label = document.createElement("label");
    const select = document.createElement("select");
    const order = facet.values.map((value, code) => [value, String(code)]);
    order.sort(([a], [b]) => a.localeCompare(b, "en"));
    select.append(option("all", ""), ...order.map(([value, code]) => option(value, code)));
    label.append(facet.title, select);
    document.getElementById("facets").append(label);
    select.addEventListener("change", () => chosen());
    selects.set(facet.key, { select, place, values: facet.values });
  });

  const text = (one) => {
    if (!one.text) {
      const heading = one.row.parentElement.rows[0].textContent;
      one.text = `${one.row.textContent} ${heading}`.toLowerCase();
    }
    return one.text;
  };

  const filtered = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = [...selects.values()].filter(({ select }) => select.value);
    let shown = 0;
    for (const one of rows) {
      const fits = wanted.every(({ select, place }) => one.codes[place].includes(select.value));
      one.row.hidden = !(fits && words.every((word) => text(one).includes(word)));
      shown += one.row.hidden ? 0 : 1;
    }
    for (const { select } of selects.values()) select.classList.toggle("chosen", select.value !== "");
    document.getElementById("count").textContent = `${shown} of ${rows.length} rows`;
    again();
  };

  const state = () => {
    const kept = new URLSearchParams();
    if (search.value) kept.set("search", search.value);
    for (const [key, { select, values }] of selects) if (select.value) kept.set(key, values[select.value]);
    const head = heads.find((one) => one.hasAttribute("aria-sort"));
    if (head) kept.set("sort", `${head.dataset.key} ${head.getAttribute("aria-sort")}`);
    return kept.toString();
  };

  let last = "";
  const remember = () => {
    last = state();
    history.replaceState(null, "", last ? `#${last}` : location.href.split("#")[0]);
  };

  const chosen = () => {
    filtered();
    remember();
  };

  const recall = () => {
    const hash = location.hash.slice(1);
    if (hash === last || (hash && !hash.includes("="))) return;  // the second is a place on the page
    last = hash;
    const kept = new URLSearchParams(hash);
    search.value = kept.get("search") || "";
    for (const [key, { select, values }] of selects) {
      const code = values.indexOf(kept.get(key));
      select.value = code < 0 ? "" : String(code);
    }
    const [key, order] = (kept.get("sort") || "").split(" ");
    const head = heads.find((one) => one.dataset.key === key);
    if (head && ["ascending", "descending"].includes(order)) later.sort(board, head, order);
    filtered();
  };

  for (const head of heads) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      later.sort(board, head);
      again();
      remember();
    });
  }
  search.addEventListener("input", chosen);
  document.getElementById("reset").addEventListener("click", () => {
    search.value = "";
    for (const { select } of selects.values()) select.value = "";
    chosen();
  });
  addEventListener("hashchange", recall);
  for (const part of document.querySelectorAll(".tools, .scripted")) part.hidden = false;
  filtered();
  recall();
})();
