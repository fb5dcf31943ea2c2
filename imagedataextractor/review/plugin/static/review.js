"use strict";
// A panel by keyboard or mouse. Every correction is a form that is posted; the page that comes back shows what holds.
const picture = document.getElementById("picture");
const form = document.getElementById("correction");
const particles = [...document.querySelectorAll(".particle")];
const field = (name) => form.elements.namedItem(name);
const marked = new Set();
let chosen = -1;
let drawing = null; // {action, points, x, y} while a line or an outline is drawn

function choose(index) {
  if (!particles.length) return;
  particles[chosen]?.classList.remove("chosen");
  chosen = (index + particles.length) % particles.length;
  const particle = particles[chosen];
  particle.classList.add("chosen");
  document.getElementById("chosen").textContent = particle.dataset.words;
  field("at").value = particle.dataset.label;
}

function mark(particle) {
  const label = particle.dataset.label;
  if (marked.delete(label)) particle.classList.remove("marked");
  else { marked.add(label); particle.classList.add("marked"); }
}

function say(action, numbers, points) {
  field("numbers").value = numbers.join(",");
  field("points").value = (points ?? []).map((point) => point.join(",")).join(" ");
  const named = document.createElement("input");
  named.type = "hidden"; named.name = "action"; named.value = action;
  form.append(named);
  form.submit();
}

const label = () => (chosen < 0 ? [] : [particles[chosen].dataset.label]);

function rejectOrRestore() {
  if (chosen < 0) return;
  say(particles[chosen].classList.contains("accepted") ? "reject" : "restore", label());
}

function merge() {
  const numbers = [...new Set([...marked, ...label()])];
  if (numbers.length > 1) say("merge", numbers);
  else tell("mark particles with the space bar first, then merge");
}

function tell(words) { document.getElementById("message").textContent = words; }

function begin(action) {
  if (action === "split" && chosen < 0) { tell("choose the particle to split first"); return; }
  const box = picture.viewBox.baseVal;
  const middle = chosen < 0 ? [box.width / 2, box.height / 2] : [particles[chosen].dataset.x, particles[chosen].dataset.y];
  drawing = { action, points: [], x: Math.round(middle[0]), y: Math.round(middle[1]) };
  picture.classList.add("drawing");
  tell(action === "split" ? "set two points of the line to cut along" : "set the corners of the outline, then Enter");
  show();
}

function leave() {
  drawing = null;
  picture.classList.remove("drawing");
  tell("");
  show();
}

function show() {
  const cross = document.getElementById("cross"), line = document.getElementById("drawing");
  if (!drawing) { cross.setAttribute("d", ""); line.setAttribute("points", ""); return; }
  const { x, y, points } = drawing, box = picture.viewBox.baseVal, arm = box.width / 40;
  cross.setAttribute("d", `M${x - arm} ${y}h${2 * arm}M${x} ${y - arm}v${2 * arm}`);
  line.setAttribute("points", [...points, [x, y]].map((point) => point.join(",")).join(" "));
}

function setPoint() {
  drawing.points.push([drawing.x, drawing.y]);
  if (drawing.action === "split" && drawing.points.length === 2) end();
  else show();
}

function end() {
  if (drawing.action === "split" && drawing.points.length === 2) say("split", label(), drawing.points);
  else if (drawing.action === "draw" && drawing.points.length > 2) say("draw", [], drawing.points);
  else tell(drawing.action === "split" ? "a line has two points" : "an outline has three corners or more");
}

const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function drawingKey(event) {
  const move = MOVES[event.key];
  if (move) {
    const box = picture.viewBox.baseVal, step = event.shiftKey ? 10 : 1;
    drawing.x = Math.min(Math.max(drawing.x + move[0] * step, 0), box.width);
    drawing.y = Math.min(Math.max(drawing.y + move[1] * step, 0), box.height);
    show();
  } else if (event.key === " ") setPoint();
  else if (event.key === "Backspace") { drawing.points.pop(); show(); }
  else if (event.key === "Enter") end();
  else if (event.key === "Escape") leave();
  else return false;
  return true;
}

const press = (value) => form.querySelector(`button[value="${value}"]:not([disabled])`)?.value;
const go = (id) => { document.getElementById(id).click(); };

const KEYS = {
  n: () => choose(chosen + 1), ArrowRight: () => choose(chosen + 1),
  p: () => choose(chosen < 0 ? -1 : chosen - 1), ArrowLeft: () => choose(chosen < 0 ? -1 : chosen - 1),
  j: () => go("after"), PageDown: () => go("after"), k: () => go("before"), PageUp: () => go("before"),
  q: () => go("queue"),
  x: rejectOrRestore, m: merge, s: () => begin("split"), d: () => begin("draw"),
  " ": () => { if (chosen >= 0) mark(particles[chosen]); },
  c: () => field("value").focus(),
  e: () => say(press("not-em") ?? press("em"), []),
  l: () => say("looked", []),
  u: () => { if (press("undo")) say("undo", []); else tell("there is nothing to undo"); },
  "?": () => { const help = document.querySelector("details"); help.open = !help.open; },
  Escape: () => { marked.clear(); particles.forEach((p) => p.classList.remove("marked")); },
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.target.matches("input, select, textarea")) {
    if (event.key === "Escape") event.target.blur();
    else if (event.key === "Enter" && ["value", "bar_px", "as"].includes(event.target.name)) { event.preventDefault(); say("scale", []); }
    else if (event.key === "Enter") event.preventDefault();
    return;
  }
  if (event.target.matches("button, a, summary") && ["Enter", " "].includes(event.key) && !drawing) return;
  const done = drawing ? drawingKey(event) : KEYS[event.key] && (KEYS[event.key](), true);
  if (done) event.preventDefault();
});

picture.addEventListener("click", (event) => {
  if (drawing) {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(picture.getScreenCTM().inverse());
    drawing.x = Math.round(at.x * 2) / 2;
    drawing.y = Math.round(at.y * 2) / 2;
    setPoint();
    return;
  }
  const particle = event.target.closest(".particle");
  if (!particle) return;
  choose(particles.indexOf(particle));
  if (event.shiftKey) mark(particle);
});

form.addEventListener("submit", (event) => {
  const action = event.submitter?.value;
  if (action === "reject") { event.preventDefault(); rejectOrRestore(); }
  if (action === "merge") { event.preventDefault(); merge(); }
});
document.getElementById("split").addEventListener("click", (event) => { begin("split"); event.target.blur(); });
document.getElementById("draw").addEventListener("click", (event) => { begin("draw"); event.target.blur(); });

const at = particles.findIndex((particle) => particle.dataset.label === picture.dataset.at);
if (at >= 0) choose(at);
