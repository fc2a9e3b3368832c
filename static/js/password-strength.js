// Says in words how hard a new password is to guess while it is typed: an estimate, made on this device alone.
const POOLS = [[/\p{Ll}/u, 26], [/\p{Lu}/u, 26], [/\p{Nd}/u, 10], [/[^\p{L}\p{N}]/u, 33]];
const LEAST_BITS = { fair: 50, good: 70, strong: 95 };

// Characters that continue a run (aaa, abc, 321) or repeat what stood two to four places before add almost nothing.
function weight(codes, index) {
  const step = codes[index] - codes[index - 1];
  if (index > 1 && Math.abs(step) <= 1 && step === codes[index - 1] - codes[index - 2]) return 0.15;
  return [1, 2, 3, 4].some((back) => codes[index] === codes[index - back]) ? 0.4 : 1;
}

function bits(text) {
  const codes = [...text].map((char) => char.codePointAt(0));
  const pool = POOLS.reduce((sum, [kind, size]) => sum + (kind.test(text) ? size : 0), 0);
  const letters = codes.reduce((sum, _code, index) => sum + weight(codes, index), 0);
  // People choose words, not letters: three quarters of what dice would give.
  return letters * Math.log2(Math.max(pool, 1)) * 0.75;
}

for (const meter of document.querySelectorAll("[data-strength-of]")) {
  const input = document.getElementById(meter.dataset.strengthOf);
  const [bar, words] = [meter.querySelector("meter"), meter.querySelector("[data-strength-words]")];
  const show = () => {
    const found = bits(input.value);
    const level = Object.values(LEAST_BITS).filter((least) => found >= least).length;
    meter.hidden = !input.value;
    bar.value = level + 1;
    words.textContent = meter.dataset[["weak", "fair", "good", "strong"][level]];
  };
  input?.addEventListener("input", show);
}
