// Takes the reader to what was wrong with a form of the stock admin, which says so without moving the focus.
const note = document.querySelector(".errornote");
if (note) {
  note.tabIndex = -1;
  note.focus();
}
