// Says beside a password field that capital letters are locked; the words come from <body>.
for (const input of document.querySelectorAll("input[data-show-password]")) {
  const hint = document.createElement("p");
  hint.className = "hint";
  hint.setAttribute("role", "status");
  (input.closest(".password-row") ?? input).after(hint);
  const look = (event) => {
    hint.textContent = event.getModifierState?.("CapsLock") ? document.body.dataset.capsLock : "";
  };
  for (const type of ["keydown", "keyup"]) input.addEventListener(type, look);
  input.addEventListener("blur", () => { hint.textContent = ""; });
}
