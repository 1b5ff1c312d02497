"use strict";
// Sorting and filtering of the table, buttons of the views.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const viewers = Viewer.start(JSON.parse(document.getElementById("scenes").textContent), all("canvas[data-scene]"));

  for (const button of all("button[data-do]")) button.addEventListener("click", () => {
    const card = button.closest(".card"), view = viewers.of(card.querySelector("canvas")), on = button.getAttribute("aria-pressed") !== "true";
    if (button.dataset.do !== "reset") button.setAttribute("aria-pressed", on);
    if (button.dataset.do === "repeat") { view.repeat = on ? 2 : 1; view.build(); }
    if (button.dataset.do === "flat") { view.perspective = !on; view.stale = true; }
    if (button.dataset.do === "large") card.classList.toggle("large", on);
    if (button.dataset.do === "reset") { view.reset(); view.touched = false; }
    viewers.wake();
  });

  const table = document.getElementById("ranking");
  if (!table) return;
  const body = table.tBodies[0], heads = all("th", table);
  heads.forEach((head, column) => head.querySelector("button")?.addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending", sign = down ? -1 : 1;
    for (const h of heads) h.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const value = (row) => row.cells[column].dataset.v ?? row.cells[column].textContent;
    const rows = [...body.rows].map((row, i) => ({ row, i, v: value(row) }));
    rows.sort((p, q) => {
      if ((p.v === "") !== (q.v === "")) return p.v === "" ? 1 : -1; // what has no value stays below
      const x = Number(p.v), y = Number(q.v), numbers = p.v !== "" && !Number.isNaN(x) && !Number.isNaN(y);
      return sign * (numbers ? x - y : p.v.localeCompare(q.v)) || p.i - q.i;
    });
    body.append(...rows.map((r) => r.row));
  }));

  const filter = document.getElementById("filter"), shown = document.getElementById("shown");
  filter.addEventListener("input", () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of body.rows) {
      row.hidden = !words.every((w) => row.dataset.words.includes(w));
      count += !row.hidden;
      const card = document.getElementById("view-" + row.dataset.n);
      if (card) card.hidden = row.hidden;
    }
    shown.textContent = words.length ? `${count} of ${body.rows.length}` : "";
    viewers.wake();
  });
})();
