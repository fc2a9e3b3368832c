// On a phone the rows of a list become blocks, in which each value says what it is; without this they scroll sideways.
for (const list of document.querySelectorAll("#result_list")) {
  const names = [...list.tHead.rows[0].cells].map((cell) => cell.querySelector(".text")?.textContent.trim());
  for (const row of list.tBodies[0].rows) {
    [...row.cells].forEach((cell, column) => {
      if (cell.tagName === "TD" && names[column]) cell.dataset.label = names[column];
    });
  }
  list.classList.add("labelled");
}
