"use strict";

// Sorts the table by the column whose title is pressed, and shows the figures of the class that is chosen.
(() => {
  const table = document.getElementById("results");
  const heads = [...table.querySelectorAll("thead th[aria-sort]")];
  const status = document.getElementById("sorted");

  // A row's value in a column: a number, a name, or null, which comes last either way.
  const valueOf = (row, column) => {
    const cell = row.cells[column];
    if (!cell || cell.dataset.value === undefined) return null;
    return column === 0 ? cell.dataset.value : Number(cell.dataset.value);
  };
  const compare = (a, b, sign) => {
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * (typeof a === "string" ? a.localeCompare(b) : a - b);
  };

  const sortBy = (column, direction) => {
    const sign = direction === "ascending" ? 1 : -1;
    for (const head of heads) head.setAttribute("aria-sort", head === heads[column] ? direction : "none");
    for (const body of table.tBodies) {
      const rows = [...body.rows].filter((row) => !row.classList.contains("part"));
      rows.sort((a, b) => compare(valueOf(a, column), valueOf(b, column), sign));
      body.append(...rows);
    }
    status.textContent = `Sorted by ${heads[column].dataset.name}, ${direction}.`;
  };
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const now = head.getAttribute("aria-sort");
      const first = head.dataset.first;
      sortBy(column, now === first ? (first === "ascending" ? "descending" : "ascending") : first);
    });
  });

  const choice = document.getElementById("class-choice");
  const show = () => {
    for (const body of table.tBodies) body.hidden = choice.value !== "all" && body.dataset.part !== choice.value;
  };
  if (choice) {
    choice.closest(".toolbar").hidden = false;
    choice.addEventListener("change", show);
    show();
  }

  addEventListener("beforeprint", () => document.documentElement.classList.add("printing"));
  addEventListener("afterprint", () => document.documentElement.classList.remove("printing"));
})();
