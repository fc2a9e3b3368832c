// Gives every value marked data-copy a button that puts it on the clipboard; the words come from <body>.
const { wordCopy, wordCopied } = document.body.dataset;
for (const value of navigator.clipboard ? document.querySelectorAll("[data-copy]") : []) {
  const text = value.textContent.trim();
  const button = document.createElement("button");
  const together = document.createElement("span");
  button.type = "button";
  button.className = "button-small";
  button.textContent = wordCopy;
  button.setAttribute("aria-label", `${wordCopy}: ${text}`);
  together.className = "copyable";
  value.replaceWith(together);
  together.append(value, button);
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text);
    button.textContent = wordCopied;
    setTimeout(() => { button.textContent = wordCopy; }, 3000);
  });
}
