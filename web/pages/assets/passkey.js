// Passkeys: the one thing that a page cannot do without a script.
"use strict";

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");

// The options come as JSON, with bytes as base64url.
const read = (json) => {
  const options = JSON.parse(json);
  options.challenge = bytes(options.challenge);
  if (options.user) options.user.id = bytes(options.user.id);
  for (const list of [options.allowCredentials, options.excludeCredentials]) {
    for (const key of list ?? []) key.id = bytes(key.id);
  }
  return options;
};

// The answer goes back in the same way.
const write = (key) => {
  const response = {};
  for (const part of ["clientDataJSON", "authenticatorData", "signature", "userHandle", "attestationObject"]) {
    if (key.response[part]) response[part] = text(key.response[part]);
  }
  if (key.response.getTransports) response.transports = key.response.getTransports();
  return JSON.stringify({ id: key.id, rawId: text(key.rawId), type: key.type, response, clientExtensionResults: {} });
};

for (const form of window.PublicKeyCredential ? document.querySelectorAll("form[data-passkey]") : []) {
  const failed = form.querySelector("[data-failed]");
  const ask = async () => {
    failed.hidden = true;
    try {
      const publicKey = read(form.dataset.options);
      const key = await navigator.credentials[form.dataset.passkey]({ publicKey });
      form.elements.credential.value = write(key);
      form.submit();
    } catch {
      failed.hidden = false;
      failed.focus();
    }
  };
  form.addEventListener("submit", (event) => {
    if (event.submitter?.name === "answer") return;
    event.preventDefault();
    ask();
  });
  for (const part of form.querySelectorAll("[data-needs-script]")) part.hidden = false;
  for (const part of form.querySelectorAll("[data-without-script]")) part.hidden = true;
}
