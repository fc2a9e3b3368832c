// Announces the end of the session in time to go on, and says when it has ended; nothing typed is lost, nothing reloads.
const dialog = document.querySelector("dialog[data-session]");
const WARN_SECONDS = 180;
let timer;

const later = (seconds) => {
  clearTimeout(timer);
  timer = setTimeout(look, Math.max(seconds, 1) * 1000);
};

function show(ended) {
  for (const part of dialog.querySelectorAll("[data-when]")) part.hidden = (part.dataset.when === "ended") !== ended;
  if (!dialog.open) dialog.showModal();
}

async function ask(options) {
  const answer = await fetch(dialog.dataset.session, options).catch(() => null);
  return answer?.ok ? (await answer.json()).left : null;
}

// Another tab may have gone on meanwhile, so the server is asked; asking prolongs nothing.
async function look() {
  const left = await ask({});
  if (left === null) return later(60);
  if (left <= 0) return show(true);
  if (left > WARN_SECONDS) {
    dialog.close();
    return later(left - WARN_SECONDS);
  }
  dialog.querySelector("[data-minutes]").textContent = Math.max(1, Math.round(left / 60));
  show(false);
  later(left + 1);
}

dialog?.querySelector("[data-stay]").addEventListener("click", async () => {
  const token = dialog.querySelector("[name=csrfmiddlewaretoken]").value;
  const left = await ask({ method: "POST", headers: { "X-CSRFToken": token } });
  if (!left) return show(true);
  dialog.close();
  later(left - WARN_SECONDS);
});
if (dialog) later(Number(dialog.dataset.idle) - WARN_SECONDS);
