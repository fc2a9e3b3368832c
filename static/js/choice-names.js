// Gives the search boxes of select2 the name of their field: it points them at a text that is empty at first.
const name = (box) => {
  const field = box.closest(".select2")?.previousElementSibling;
  const label = field?.id && document.querySelector(`label[for="${field.id}"]`);
  if (!label || label.id) return;
  label.id = `${field.id}-label`;
  const chosen = box.querySelector(".select2-selection__rendered");
  box.setAttribute("aria-labelledby", `${label.id} ${chosen?.id ?? ""}`.trim());
  chosen?.setAttribute("aria-labelledby", label.id);
  // Where several can be chosen, the field for typing stands in the box itself.
  box.querySelector("input")?.setAttribute("aria-labelledby", label.id);
};
const all = () => document.querySelectorAll(".select2-selection").forEach(name);
addEventListener("load", all);
new MutationObserver(all).observe(document.documentElement, { childList: true, subtree: true });
