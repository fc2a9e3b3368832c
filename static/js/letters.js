// Fetches many letters chunk by chunk, one PDF each; without it every chunk has a button of its own.
const box = document.querySelector("[data-letters]");
const forms = [...document.querySelectorAll("form[data-chunk]")];

const save = (blob, name) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  // The browser reads the file after the click; the passwords in it leave memory a minute later.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
};

const fetchChunk = async (form) => {
  const body = new FormData(form);
  body.set("output", "letter");
  const response = await fetch(form.action, { method: "POST", body, credentials: "same-origin" });
  if (!response.ok || !response.headers.get("Content-Type")?.startsWith("application/pdf")) throw new Error(response.status);
  save(await response.blob(), `Initialdaten-${form.dataset.chunk}.pdf`);
};

if (box && forms.length > 1) {
  const [button, progress, done, failed] = ["button", "progress", "[data-done]", "[data-failed]"].map((part) => box.querySelector(part));
  box.hidden = false;
  const leaving = (event) => event.preventDefault();
  button.addEventListener("click", async () => {
    if (!forms.every((form) => form.hidden || form.reportValidity())) return;
    button.disabled = true;
    progress.hidden = false;
    failed.hidden = true;
    window.addEventListener("beforeunload", leaving);
    try {
      for (const form of forms.filter((form) => !form.hidden)) {
        await fetchChunk(form);
        form.hidden = true;
        progress.value += 1;
      }
      button.hidden = true;
      done.hidden = false;
    } catch {
      // A chunk whose answer was lost may have been given out; its own button then says so (409).
      failed.hidden = false;
      button.disabled = false;
    }
    window.removeEventListener("beforeunload", leaving);
  });
}
