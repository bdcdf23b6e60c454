"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const PAGE = 500;
const GRAVITY = ["identical", "layers", "tree", "packages", "different"];

// Everything that is shown goes through here, as text.
function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (count >= 1000 && unit < units.length - 1) { count /= 1000; unit += 1; }
  return `${unit ? count.toFixed(1) : count} ${units[unit]}`;
}

// ---------------------------------------------------------------- head

function head() {
  document.title = `${data.verdict}: ${data.names.reference} → ${data.names.rebuilt}`;
  byId("verdict").textContent = data.verdict;
  byId("verdict").classList.toggle("reached", data.reached);
  byId("names").textContent = `${data.names.reference} → ${data.names.rebuilt}`;
  const counts = Object.entries(data.counts);
  const total = counts.reduce((sum, [, count]) => sum + count, 0);
  const each = counts.map(([kind, count]) => `${count} ${kind}`).join(", ");
  byId("summary").textContent = total ? `${total} differences: ${each}` : "no differences";
  for (const name of ["reference", "rebuilt"]) {
    byId("digests").append(element("dt", name), element("dd", data[name]));
  }
  for (const one of data.remedies) {
    const item = element("li");
    item.append(element("strong", one.text || one.name), `: ${one.remedy}`);
    byId("causes").append(item);
  }
  byId("causes").closest("section").hidden = data.remedies.length === 0;
}

// ---------------------------------------------------------------- what is searched for

let words = [];
let changedOnly = false;

function matches(text) {
  const lower = text.toLowerCase();
  return words.every((word) => lower.includes(word));
}

function haystack(one) {
  return [one.path, one.package, one.layer, one.kind, one.what, one.cause, one.cause_name, one.platform]
    .filter(Boolean).join(" ");
}

// ---------------------------------------------------------------- list of differences

let shown = PAGE;

function rows() {
  const found = data.findings.filter((one) => matches(haystack(one)));
  const groups = new Map();
  for (const one of found.slice(0, shown)) {
    const key = one.platform ? `${one.layer} (${one.platform})` : one.layer;
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(one);
  }
  const list = byId("list");
  list.replaceChildren();
  for (const [layer, ones] of groups) {
    const box = element("details");
    box.open = true;
    const table = element("table");
    for (const one of ones) table.append(row(one));
    box.append(element("summary", `${layer}: ${ones.length}`), table);
    list.append(box);
  }
  byId("more").hidden = found.length <= shown;
  const all = data.findings.length + data.omitted;
  byId("count").textContent = `(${found.length} of ${all})`;
}

function row(one) {
  const line = element("tr");
  if (one.path) line.dataset.path = one.path;
  const what = element("td", one.what, "what");
  if (one.cause) what.append(element("div", one.cause, "cause"));
  if (one.details.length) {
    const inside = element("pre");
    for (const text of one.details) {
      const kind = text.startsWith("-") ? "gone" : text.startsWith("+") ? "come" : "";
      inside.append(element("span", `${text}\n`, kind));
    }
    what.append(inside);
  }
  line.append(
    element("td", one.kind, "kind"), element("td", one.path || "", "path"),
    element("td", one.package || "", "package"), what,
  );
  return line;
}

// ---------------------------------------------------------------- treemap

const canvas = byId("map");
const pen = canvas.getContext("2d");
let tree = null;
let open = null;
let cells = [];
let at = -1;

function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim(); }

function grow(image) {
  const differing = new Map();
  for (const one of data.findings) {
    if (!one.path || (one.platform && image.platform && one.platform !== image.platform)) continue;
    const gravity = GRAVITY.indexOf(one.level);
    const known = differing.get(one.path);
    if (!known || known.gravity < gravity) differing.set(one.path, { gravity, kind: one.kind, package: one.package });
  }
  const root = { name: "image", size: 0, changed: 0, parts: [] };
  const listed = new Set();
  for (const part of image.parts) {
    const node = { name: part.name, source: part.source, size: part.size, changed: 0, parts: [] };
    let rest = part.size;
    for (const [path, size] of part.files) {
      listed.add(path);
      const difference = differing.get(path);
      rest -= size;
      node.parts.push({ name: path, size, changed: difference ? 1 : 0, kind: difference && difference.kind });
      if (difference) node.changed += 1;
    }
    const left = part.count - part.files.length;
    if (left > 0) node.parts.push({ name: `${left} more files`, size: rest, changed: 0, isRest: true });
    root.parts.push(node);
  }
  const gone = [];
  for (const [path, difference] of differing) {
    if (!listed.has(path)) gone.push({ name: path, size: 0, changed: 1, kind: difference.kind });
  }
  if (gone.length) {
    // What is not there has no size: a strip of its own, as large as is needed to see it.
    const size = Math.max(1, image.parts.reduce((sum, part) => sum + part.size, 0) / 50);
    for (const one of gone) { one.size = size / gone.length; one.isGone = true; }
    root.parts.push({ name: "only in the reference, and directories", source: "", size, changed: gone.length,
      parts: gone, isGone: true });
  }
  root.size = root.parts.reduce((sum, part) => sum + part.size, 0);
  root.changed = root.parts.reduce((sum, part) => sum + part.changed, 0);
  // What differs is seen however small it is.
  const least = root.size / 1500;
  for (const part of root.parts) {
    for (const file of part.parts) file.weight = file.changed ? Math.max(file.size, least, 1) : file.size;
    part.weight = part.parts.length ? part.parts.reduce((sum, file) => sum + file.weight, 0) : part.size;
  }
  return root;
}

// Squarified: rows are filled as long as the worst of their rectangles gets no thinner.
function squarify(nodes, x, y, width, height) {
  const total = nodes.reduce((sum, node) => sum + node.weight, 0);
  if (!total || width <= 0 || height <= 0) return [];
  const scale = (width * height) / total;
  const areas = nodes.filter((node) => node.weight > 0).sort((a, b) => b.weight - a.weight)
    .map((node) => ({ node, area: node.weight * scale }));
  const placed = [];
  let from = 0;
  while (from < areas.length) {
    const side = Math.min(width, height);
    let sum = 0, best = Infinity, to = from;
    while (to < areas.length) {
      const next = sum + areas[to].area;
      const largest = areas[from].area, least = areas[to].area;
      const worst = Math.max((side * side * largest) / (next * next), (next * next) / (side * side * least));
      if (worst > best) break;
      best = worst; sum = next; to += 1;
    }
    const thick = sum / side;
    let along = 0;
    for (const { node, area } of areas.slice(from, to)) {
      const length = area / thick;
      placed.push(width >= height
        ? { node, x, y: y + along, width: thick, height: length }
        : { node, x: x + along, y, width: length, height: thick });
      along += length;
    }
    if (width >= height) { x += thick; width -= thick; } else { y += thick; height -= thick; }
    from = to;
  }
  return placed;
}

function isFound(node) {
  if (!words.length) return false;
  if (matches(node.name) || (node.kind && matches(`${node.name} ${node.kind}`))) return true;
  return Boolean(node.parts && node.parts.some(isFound));
}

function paint(cell, deep) {
  const { node, x, y, width, height } = cell;
  pen.fillStyle = node.changed ? (node.parts && !deep ? colours["lit-faint"] : colours.lit)
    : node.source === "" ? colours.other : colours.calm;
  pen.globalAlpha = words.length && !cell.found ? 0.35 : 1;
  pen.fillRect(x, y, width, height);
  pen.globalAlpha = 1;
  pen.strokeStyle = cell.found ? colours.found : colours.ground;
  pen.lineWidth = cell.found ? 2 : 1;
  if (width > 2 && height > 2) pen.strokeRect(x + 0.5, y + 0.5, width - 1, height - 1);
}

let colours = {};

function draw() {
  if (!open) return;
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  colours = Object.fromEntries(
    ["calm", "other", "lit", "lit-faint", "found", "ground", "text", "focus", "on-lit"].map((name) => [name, colour(name)]),
  );
  pen.clearRect(0, 0, width, height);
  const parts = changedOnly ? open.parts.filter((node) => node.changed) : open.parts;
  cells = squarify(parts, 0, 0, width, height);
  for (const cell of cells) {
    cell.found = isFound(cell.node);
    paint(cell, !cell.node.parts);
    if (cell.node.parts && cell.width > 12 && cell.height > 26) {
      const inner = squarify(
        changedOnly ? cell.node.parts.filter((node) => node.changed) : cell.node.parts,
        cell.x + 2, cell.y + 18, cell.width - 4, cell.height - 20,
      );
      for (const one of inner) {
        if (one.width < 1 || one.height < 1) continue;
        one.found = isFound(one.node);
        if (one.node.changed || one.found || one.width > 4) paint(one, true);
      }
    }
    label(cell);
  }
  at = Math.min(at, cells.length - 1);
  if (at >= 0 && document.activeElement === canvas) {
    const cell = cells[at];
    pen.strokeStyle = colours.focus;
    pen.lineWidth = 3;
    pen.strokeRect(cell.x + 1.5, cell.y + 1.5, Math.max(1, cell.width - 3), Math.max(1, cell.height - 3));
  }
}

function label(cell) {
  if (cell.width < 40 || cell.height < 18) return;
  pen.save();
  pen.beginPath();
  pen.rect(cell.x + 2, cell.y, cell.width - 4, cell.height);
  pen.clip();
  pen.fillStyle = cell.node.changed && !cell.node.parts ? colours["on-lit"] : colours.text;
  pen.font = "12px system-ui, sans-serif";
  pen.fillText(cell.node.parts ? cell.node.name : cell.node.name.split("/").pop(), cell.x + 4, cell.y + 13);
  pen.restore();
}

function tell(node) {
  if (!node) { byId("told").textContent = ""; return; }
  const size = node.isGone ? "" : `, ${bytes(node.size)}`;
  const source = node.source ? ` (${node.source})` : "";
  const changed = node.parts ? `, ${node.changed} differ` : node.kind ? `, ${node.kind}` : "";
  byId("told").textContent = `${node.name}${source}${size}${changed}`;
}

function enter(node) {
  if (!node) return;
  if (node.parts && node.parts.length) {
    open = node;
    draw();
    at = 0;
    move(0);
  } else if (node.kind) {
    seek(node.name);
  }
  crumbs();
  draw();
}

function leave() {
  if (open === tree) return;
  const was = open;
  open = tree;
  draw();
  at = cells.findIndex((cell) => cell.node === was);
  tell(was);
  crumbs();
  draw();
}

function seek(path) {
  const find = () => [...document.querySelectorAll("tr[data-path]")].find((one) => one.dataset.path === path);
  let line = find();
  if (!line) {
    byId("search").value = path;
    search();
    line = find();
  }
  for (const one of document.querySelectorAll("tr.at")) one.classList.remove("at");
  if (line) {
    line.classList.add("at");
    line.tabIndex = -1;
    line.focus();
    line.scrollIntoView({ block: "center" });
  }
}

function crumbs() {
  const place = byId("crumbs");
  place.replaceChildren();
  const home = element("button", "image");
  home.type = "button";
  home.addEventListener("click", leave);
  place.append(home);
  if (open !== tree) place.append(` / ${open.name}, ${bytes(open.size)}`);
}

function move(step) {
  if (!cells.length) return;
  at = Math.max(0, Math.min(cells.length - 1, at + step));
  tell(cells[at].node);
  draw();
}

// To the nearest cell in a direction, by where the middles are.
function go(dx, dy) {
  if (at < 0) { move(1); return; }
  const middle = (cell) => [cell.x + cell.width / 2, cell.y + cell.height / 2];
  const [x, y] = middle(cells[at]);
  let best = -1, least = Infinity;
  cells.forEach((cell, number) => {
    const [cx, cy] = middle(cell);
    const along = (cx - x) * dx + (cy - y) * dy;
    if (number === at || along <= 0.5) return;
    const far = along + 2 * Math.abs((cx - x) * dy + (cy - y) * dx);
    if (far < least) { least = far; best = number; }
  });
  if (best >= 0) { at = best; move(0); }
}

function under(event) {
  const box = canvas.getBoundingClientRect();
  const x = event.clientX - box.left, y = event.clientY - box.top;
  return cells.findIndex((cell) => x >= cell.x && x < cell.x + cell.width && y >= cell.y && y < cell.y + cell.height);
}

// ---------------------------------------------------------------- what the reader does

function search() {
  words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  shown = PAGE;
  rows();
  draw();
}

function choose() {
  const image = data.images[Number(byId("platform").value) || 0];
  tree = image ? grow(image) : null;
  open = tree;
  at = -1;
  byId("map-section").classList.toggle("empty", !tree);
  canvas.hidden = !tree;
  byId("map-help").hidden = !tree;
  if (tree) { crumbs(); draw(); }
}

function listen() {
  const platforms = byId("platform");
  data.images.forEach((image, number) => {
    const option = element("option", image.platform || "image");
    option.value = String(number);
    platforms.append(option);
  });
  platforms.closest("label").hidden = data.images.length < 2;
  platforms.addEventListener("change", choose);
  byId("search").addEventListener("input", search);
  byId("changed-only").addEventListener("change", (event) => {
    changedOnly = event.target.checked;
    at = -1;
    draw();
  });
  byId("more").addEventListener("click", () => { shown += PAGE; rows(); });
  canvas.addEventListener("mousemove", (event) => { const found = under(event); tell(found < 0 ? null : cells[found].node); });
  canvas.addEventListener("click", (event) => { at = under(event); if (at >= 0) enter(cells[at].node); });
  canvas.addEventListener("focus", draw);
  canvas.addEventListener("blur", draw);
  canvas.addEventListener("keydown", (event) => {
    const keys = {
      ArrowRight: () => go(1, 0), ArrowLeft: () => go(-1, 0), ArrowDown: () => go(0, 1), ArrowUp: () => go(0, -1),
      Home: () => { at = 0; move(0); }, End: () => { at = cells.length - 1; move(0); },
      Enter: () => enter(at >= 0 ? cells[at].node : null), Escape: leave, Backspace: leave,
    };
    if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== byId("search")) {
      event.preventDefault();
      byId("search").focus();
    } else if (event.key === "Escape" && document.activeElement === byId("search")) {
      byId("search").value = "";
      search();
    }
  });
  window.addEventListener("resize", draw);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}

head();
listen();
rows();
choose();
