// Asks a security key or passkey for what a button says, and sends its answer with the button's form; the words come
// from the button: data-cancelled, data-failed, data-unsupported, and data-known for a key that is set up already.
const KEY_LISTS = ["excludeCredentials", "allowCredentials"];

const keyBytes = (text) => Uint8Array.from(
  atob(text.replace(/-/g, "+").replace(/_/g, "/")), (sign) => sign.charCodeAt(0),
);
const keyText = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
  .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

// For browsers that cannot read options by themselves.
function readKeyOptions(options) {
  const read = { ...options, challenge: keyBytes(options.challenge) };
  if (options.user) read.user = { ...options.user, id: keyBytes(options.user.id) };
  for (const name of KEY_LISTS) {
    if (options[name]) read[name] = options[name].map((key) => ({ ...key, id: keyBytes(key.id) }));
  }
  return read;
}

// For browsers that cannot write answers, and for password managers whose answers only look like a browser's.
function writeKeyAnswer({ id, rawId, type, response }) {
  const parts = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
  const written = parts.filter((name) => response[name]).map((name) => [name, keyText(response[name])]);
  return { id, rawId: keyText(rawId), type, response: Object.fromEntries(written) };
}

function keyAnswer(credential) {
  try {
    return credential.toJSON();
  } catch {
    return writeKeyAnswer(credential);
  }
}

async function askKey(kind, options) {
  const { parseCreationOptionsFromJSON, parseRequestOptionsFromJSON } = PublicKeyCredential;
  const own = kind === "create" ? parseCreationOptionsFromJSON : parseRequestOptionsFromJSON;
  const publicKey = own ? own.call(PublicKeyCredential, options) : readKeyOptions(options);
  return keyAnswer(await navigator.credentials[kind]({ publicKey }));
}

function whyNoKey(error, { cancelled, failed, unsupported, known }) {
  if (["NotAllowedError", "AbortError"].includes(error.name)) return cancelled;
  if (error.name === "InvalidStateError") return known ?? failed;
  return error.name === "NotSupportedError" ? unsupported : failed;
}

for (const button of document.querySelectorAll("[data-security-key]")) {
  const { form } = button;
  const answer = form.querySelector("[data-security-key-answer]");
  const message = form.querySelector("[data-security-key-message]");
  const { noValidate } = form;
  let waiting = false;
  button.hidden = false;
  button.addEventListener("click", async () => {
    if (waiting) return;
    if (!window.PublicKeyCredential) {
      message.textContent = button.dataset.unsupported;
      return;
    }
    waiting = true;
    message.textContent = "";
    try {
      answer.value = JSON.stringify(await askKey(button.dataset.securityKey, JSON.parse(button.dataset.options)));
      // The form's other fields are for those who come without a key.
      form.noValidate = true;
      form.requestSubmit();
      form.noValidate = noValidate;
      // It is on its way; whoever comes back to the form must not send it again.
      answer.value = "";
    } catch (error) {
      message.textContent = whyNoKey(error, button.dataset);
    } finally {
      waiting = false;
    }
  });
}
