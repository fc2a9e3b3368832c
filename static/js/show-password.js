// Gives every password field a button that shows what was typed; the words come from <body>.
for (const input of document.querySelectorAll("input[data-show-password]")) {
  const { show, hide } = document.body.dataset;
  const button = document.createElement("button");
  const row = document.createElement("div");
  button.type = "button";
  button.textContent = show;
  button.setAttribute("aria-controls", input.id);
  const label = document.querySelector(`label[for="${input.id}"]`)?.textContent.replace(/:?\s*$/, "") ?? "";
  button.setAttribute("aria-label", `${show}: ${label}`);
  row.className = "password-row";
  input.replaceWith(row);
  row.append(input, button);
  const turn = (visible) => {
    input.type = visible ? "text" : "password";
    button.textContent = visible ? hide : show;
    button.setAttribute("aria-label", `${visible ? hide : show}: ${label}`);
  };
  button.addEventListener("click", () => turn(input.type === "password"));
  // Sent hidden, so that no browser offers the typed text as a suggestion later.
  input.form?.addEventListener("submit", () => turn(false));
}
