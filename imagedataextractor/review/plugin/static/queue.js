"use strict";
// Up and down through the queue; Enter follows the link that has the focus.
const links = [...document.querySelectorAll("a.open")];
if (links.length) links[0].focus();
document.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
  if (!step || !links.length) return;
  const at = links.indexOf(document.activeElement);
  links[Math.min(Math.max(at + step, 0), links.length - 1)].focus();
  event.preventDefault();
});
