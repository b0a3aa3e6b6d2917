// Sorting and searching. Without it the page reads the same, best first.
"use strict";
const number = (cell) => (cell.dataset.value === undefined ? null : Number(cell.dataset.value));
const compare = (a, b) => {
  const [x, y] = [number(a), number(b)];
  return x === null || y === null ? a.textContent.trim().localeCompare(b.textContent.trim()) : x - y;
};
const empty = (cell) => cell.textContent.trim() === "" && number(cell) === null;

for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, k) => {
    if (head.classList.contains("plain")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(head.firstElementChild);
    head.prepend(button);
    button.addEventListener("click", () => {
      // numbers from the highest, words from A; a second click turns it around
      const first = [...body.rows].some((row) => number(row.cells[k]) !== null) ? "descending" : "ascending";
      const was = head.getAttribute("aria-sort");
      const down = was === null ? first === "descending" : was === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows];
      rows.sort((r, s) => {
        const [a, b] = [r.cells[k], s.cells[k]];
        // what is empty stays below, whichever way
        if (empty(a) || empty(b)) return empty(a) - empty(b);
        return down ? compare(b, a) : compare(a, b);
      });
      body.append(...rows);
    });
  });
}

const input = document.createElement("input");
input.type = "search";
input.placeholder = "Search all boards";
input.setAttribute("aria-label", "Search all boards");
document.querySelector("header").append(input);
const search = () => {
  const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const row of document.querySelectorAll("tbody tr")) {
    const text = row.textContent.toLowerCase();
    row.hidden = !wanted.every((word) => text.includes(word));
  }
};
// the search stands in the address: a link opens the same rows
const address = new URL(location.href);
input.value = address.searchParams.get("q") ?? "";
if (input.value) search();
input.addEventListener("input", () => {
  search();
  if (input.value) address.searchParams.set("q", input.value);
  else address.searchParams.delete("q");
  address.hash = location.hash;
  history.replaceState(null, "", address);
});
