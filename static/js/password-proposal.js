// Proposes a password from this browser's random numbers: six groups of four without look-alike characters.
const ALPHABETS = ["ABCDEFGHJKLMNPQRSTUVWXYZ", "abcdefghijkmnopqrstuvwxyz", "23456789"];
const EVERY = ALPHABETS.join("");

function draw(alphabet) {
  // Numbers above the last whole multiple are thrown away: otherwise the first letters came more often.
  const limit = 256 - (256 % alphabet.length);
  for (;;) {
    const [number] = crypto.getRandomValues(new Uint8Array(1));
    if (number < limit) return alphabet[number % alphabet.length];
  }
}

function propose() {
  for (;;) {
    const letters = Array.from({ length: 24 }, () => draw(EVERY)).join("");
    if (ALPHABETS.every((alphabet) => [...alphabet].some((letter) => letters.includes(letter)))) {
      return letters.match(/.{4}/g).join("-");
    }
  }
}

for (const box of document.querySelectorAll("[data-propose-for]")) {
  const inputs = box.dataset.proposeFor.split(" ").map((id) => document.getElementById(id));
  const button = box.querySelector("button");
  box.classList.add("ready");
  button.addEventListener("click", () => {
    const password = propose();
    for (const input of inputs) {
      input.value = password;
      input.dispatchEvent(new Event("input", { bubbles: true }));
    }
    box.querySelector("[data-proposal]").textContent = password;
    box.querySelector("[data-proposed]").hidden = false;
  });
}
