// Asks again for a part of the page while somebody looks at it, for ten minutes at most.
const EVERY = 10_000, AT_MOST = 60;
for (const part of document.querySelectorAll("[data-refresh]")) {
  let asked = 0;
  const timer = setInterval(async () => {
    if (document.hidden) return;
    if (++asked > AT_MOST) return clearInterval(timer);
    const answer = await fetch(part.dataset.refresh, { headers: { "X-Refresh": "1" } }).catch(() => null);
    if (!answer?.ok || answer.redirected) return clearInterval(timer);
    const text = await answer.text();
    // A screen reader reads the part out when it changes: so touch it only then.
    if (text.trim() !== part.innerHTML.trim() && part.dataset.last !== text) part.innerHTML = text;
    part.dataset.last = text;
  }, EVERY);
}
