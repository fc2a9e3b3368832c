// Ticks the rules of a new password while it is typed; the server decides.
const CHECKS = {
  length: (text, item) => [...text].length >= Number(item.dataset.min),
  upper: (text) => /[\p{Lu}\p{Lt}]/u.test(text),
  lower: (text) => /\p{Ll}/u.test(text),
  digit: (text) => /\p{Nd}/u.test(text),
  special: (text) => /[^\p{Lu}\p{Lt}\p{Ll}\p{Nd}\p{M}\p{C}]/u.test(text),
};

for (const list of document.querySelectorAll("[data-rules-for]")) {
  const input = document.getElementById(list.dataset.rulesFor);
  const items = [...list.querySelectorAll("[data-rule]")].filter((item) => item.dataset.rule in CHECKS);
  const status = document.querySelector("[data-rules-status]");
  let timer;
  const tick = () => {
    for (const item of items) {
      item.toggleAttribute("data-met", CHECKS[item.dataset.rule](input.value, item));
    }
    // Read out once typing pauses, not at every key.
    clearTimeout(timer);
    timer = setTimeout(() => {
      const met = items.filter((item) => item.hasAttribute("data-met")).length;
      if (status) status.textContent = input.value ? `${met} / ${items.length} ${status.dataset.words}` : "";
    }, 800);
  };
  input?.addEventListener("input", tick);
  if (input?.value) tick();
}
