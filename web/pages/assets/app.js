// Small helps on top of pages that work without them.
"use strict";

// The error summary gets the focus, so that it is read first.
document.getElementById("errors")?.focus();

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
