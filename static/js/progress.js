// Follows a long piece of work while somebody looks at it; without it a link shows how far it is.
const EVERY = 2_000;
for (const part of document.querySelectorAll("[data-progress]")) {
  const look = async () => {
    if (document.hidden) return;
    const answer = await fetch(part.dataset.progress).catch(() => null);
    if (!answer) return;
    if (!answer.ok || answer.redirected) return clearInterval(timer);
    const text = await answer.text();
    // The end concerns the rest of the page as well.
    if (text.includes("data-over")) return location.reload();
    if (text !== part.dataset.last) part.innerHTML = part.dataset.last = text;
  };
  const timer = setInterval(look, EVERY);
}
