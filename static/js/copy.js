// Gives every value marked data-copy a button that puts it on the clipboard; the words come from <body>.
for (const value of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  const { copy, copied } = document.body.dataset;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button-small";
  button.textContent = copy;
  button.setAttribute("aria-label", `${copy}: ${value.textContent.trim()}`);
  value.after(" ", button);
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(value.textContent.trim());
    button.textContent = copied;
    setTimeout(() => { button.textContent = copy; }, 3000);
  });
}
