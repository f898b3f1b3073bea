// Small helps on top of pages that work without them.
"use strict";

// The error summary gets the focus, so that it is read first.
document.getElementById("errors")?.focus();

// A page that comes back from the browser's memory is asked for again: somebody
// may have signed out meanwhile.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

// Who must leave at once does not come back by "Back".
document.querySelector("[data-leave]")?.addEventListener("click", (event) => {
  event.preventDefault();
  location.replace(event.currentTarget.href);
});

// Work in place of a puzzle: a number after which a hash begins with zeros. Forms
// wait for it; a browser that cannot do it waits some seconds by itself.
const work = document.querySelector("[data-work]");
if (work && crypto.subtle) {
  const zeros = Number(work.dataset.work);
  const token = work.form.elements.challenge.value;
  const text = new TextEncoder();
  const fits = (sum) => new DataView(sum).getUint32(0) < 2 ** (32 - zeros);
  const find = async () => {
    for (let from = 0; ; from += 256) {
      const tries = Array.from({ length: 256 }, (_, i) => String(from + i));
      const sums = await Promise.all(tries.map((n) => crypto.subtle.digest("SHA-256", text.encode(`${token}:${n}`))));
      const hit = sums.findIndex(fits);
      if (hit >= 0) return tries[hit];
    }
  };
  const found = find().then((n) => {
    work.value = n;
  });
  work.form.addEventListener("submit", (event) => {
    if (work.value || event.submitter?.name === "answer") return;
    event.preventDefault();
    found.then(() => work.form.requestSubmit(event.submitter));
  });
}

// Ticking a part chooses "only these"; choosing "all of it" takes the ticks away.
for (const parts of document.querySelectorAll("[data-parts]")) {
  const only = parts.querySelector('input[type="radio"][value="only"]');
  parts.addEventListener("change", ({ target }) => {
    if (target.type === "checkbox" && target.checked) only.checked = true;
    if (target.type === "radio" && target !== only) {
      for (const box of parts.querySelectorAll('input[type="checkbox"]')) box.checked = false;
    }
  });
}

// The warning two minutes before the session ends, with a way to stay.
const session = document.getElementById("session");
if (session) {
  const warnAhead = 120;
  let left = Number(session.dataset.left);
  let timer;
  let before = null;
  const show = () => {
    before = document.activeElement;
    session.hidden = false;
    document.getElementById("session-stay").focus();
  };
  const arm = () => {
    timer = setTimeout(show, Math.max(0, left - warnAhead) * 1000);
  };
  const total = left;
  const stay = async () => {
    const answer = await fetch(session.dataset.stay, { credentials: "same-origin" });
    if (!answer.ok) return;
    session.hidden = true;
    if (before) before.focus();
    clearTimeout(timer);
    left = total;
    arm();
  };
  document.getElementById("session-stay").addEventListener("click", stay);
  arm();
}

// How strong a new password looks. It is a hint and stops nobody: the rules, and the
// list of passwords that thieves know, are the server's. Length counts most; what
// repeats, runs on or is the user name counts little. The words stand in the page from
// the start, empty, for screen readers tell only what changes in what they know.
for (const hint of document.querySelectorAll("[data-strength]")) {
  const field = document.getElementById(hint.dataset.strength);
  if (!field) continue;
  const [meter, said] = [hint.querySelector("meter"), hint.querySelector("span")];
  const worth = (text) => {
    const all = [...text.normalize("NFC")];
    let sum = 0;
    const seen = new Map();
    all.forEach((c, i) => {
      const step = i > 0 ? c.codePointAt(0) - all[i - 1].codePointAt(0) : 2;
      const times = (seen.get(c) ?? 0) + 1;
      seen.set(c, times);
      sum += Math.abs(step) <= 1 ? 0.2 : 1 / times ** 0.5;
    });
    const name = field.form.elements.username?.value;
    if (name && text.toLowerCase().includes(name.toLowerCase())) sum -= name.length;
    return { length: all.length, sum };
  };
  field.addEventListener("input", () => {
    const { length, sum } = worth(field.value);
    const level = length < 8 ? 1 : sum < 8 ? 2 : sum < 12 ? 3 : 4;
    meter.hidden = length === 0;
    meter.value = level;
    const text = length === 0 ? "" : [hint.dataset.short, hint.dataset.weak, hint.dataset.fair, hint.dataset.good][level - 1];
    if (said.textContent !== text) said.textContent = text;
  });
}
