(function () {
  "use strict";
  function key(row, column) {
    var cell = row.cells[column];
    var sort = cell.getAttribute("data-sort");
    return sort === null ? cell.textContent.trim() : sort === "" ? null : isNaN(sort) ? sort : Number(sort);
  }
  function compare(a, b) {
    return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
  }
  function sortable(table) {
    var body = table.tBodies[0];
    Array.prototype.forEach.call(table.tHead.rows[0].cells, function (head, column) {
      var button = document.createElement("button");
      button.type = "button";
      button.className = "fs-sort";
      while (head.firstChild) button.appendChild(head.firstChild);
      head.appendChild(button);
      button.addEventListener("click", function () {
        var down = head.getAttribute("aria-sort") === "ascending";
        Array.prototype.forEach.call(table.tHead.rows[0].cells, function (other) { other.removeAttribute("aria-sort"); });
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        Array.prototype.slice.call(body.rows).map(function (row, place) {
          return { row: row, key: key(row, column), place: place };
        }).sort(function (a, b) {
          if (a.key === null || b.key === null) return (a.key === null) - (b.key === null) || a.place - b.place;
          return (down ? -1 : 1) * compare(a.key, b.key) || a.place - b.place;
        }).forEach(function (item) { body.appendChild(item.row); });
      });
    });
  }
  function filterable(figure) {
    var rows = figure.querySelectorAll("tbody tr");
    var input = document.createElement("input");
    input.type = "search";
    input.className = "fs-filter";
    input.placeholder = figure.getAttribute("data-filter");
    input.setAttribute("aria-label", input.placeholder);
    input.addEventListener("input", function () {
      var asked = input.value.toLowerCase();
      Array.prototype.forEach.call(rows, function (row) {
        row.hidden = row.textContent.toLowerCase().indexOf(asked) < 0;
      });
    });
    figure.querySelector(".fs-scroll").before(input);
  }
  document.querySelectorAll(".fs-sortable table").forEach(sortable);
  document.querySelectorAll("[data-filter]").forEach(filterable);
})();
