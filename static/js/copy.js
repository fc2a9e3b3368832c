// Lets every button marked data-copy put its value on the clipboard; its place is kept before it can.
for (const button of navigator.clipboard ? document.querySelectorAll("button[data-copy]") : []) {
  const { textContent: word, dataset } = button;
  button.classList.add("works");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(dataset.copy);
    button.textContent = button.closest("[data-word-copied]").dataset.wordCopied;
    setTimeout(() => { button.textContent = word; }, 3000);
  });
}
