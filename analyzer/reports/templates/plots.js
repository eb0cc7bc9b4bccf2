"use strict";
// SVG plots, drawn when they become visible and redrawn when their size changes.

const SVG = "http://www.w3.org/2000/svg";
const data = JSON.parse(document.getElementById("data").textContent);

function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function html(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function number(value, digits = 4) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e9)) return value.toExponential(2);
  return value.toLocaleString("en", size >= 1000 ? { maximumFractionDigits: 1 } : { maximumSignificantDigits: digits });
}

const percent = (share) => share === null ? "–" : number(100 * share, 3) + " %";

// --- when to draw ---

const plots = new Map();
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) draw(entry.target);
}, { rootMargin: "300px" });
const resized = new ResizeObserver((entries) => {
  for (const { target } of entries) draw(target);
});

function lazily(element, plot) {
  plots.set(element, plot);
  seen.observe(element);
}

function draw(element, width = element.clientWidth) {
  if (!width || Math.abs((element.drawn || 0) - width) <= 1) return;
  element.drawn = width;
  seen.unobserve(element);
  resized.observe(element);
  const height = element.clientHeight;
  const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img" });
  if (element.dataset.title) picture.setAttribute("aria-label", element.dataset.title);
  plots.get(element)(picture, width, height);
  element.replaceChildren(picture);
}

// Immediately, because observers only run after the first paint.
function drawInSight() {
  const inSight = [...plots.keys()].filter((element) => {
    const { top, bottom, width } = element.getBoundingClientRect();
    return width && top < innerHeight && bottom > 0;
  });
  for (const element of inSight) draw(element);
}

addEventListener("beforeprint", () => {
  for (const element of document.querySelectorAll("details")) element.open = true;
  // The page still has the width of the screen here; these are the widths of a printed page.
  for (const element of plots.keys()) draw(element, element.closest("td") ? 150 : 330);
});
addEventListener("afterprint", () => {
  for (const element of plots.keys()) draw(element);
});

// --- tooltips ---

const tip = html("div", { id: "tip", hidden: "" });
document.body.append(tip);
document.addEventListener("pointermove", (event) => {
  const text = event.target.closest && event.target.closest("[data-tip]");
  tip.hidden = !text;
  if (!text) return;
  tip.textContent = text.dataset.tip;
  const x = Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8);
  const above = event.clientY + tip.offsetHeight + 24 > innerHeight;
  tip.style.left = Math.max(4, x) + "px";
  tip.style.top = (above ? event.clientY - tip.offsetHeight - 10 : event.clientY + 16) + "px";
});

// --- axes ---

function ticks(low, high, count) {
  const rough = (high - low) / Math.max(1, count);
  if (!(rough > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.8);
  const result = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high + step * 1e-9; index++) result.push(index * step);
  return result.map((value) => Number(value.toPrecision(12)));
}

function scale(low, high, from, to) {
  // halves, because the width of a range of doubles may itself be too large for a double
  const span = high / 2 - low / 2 || 1;
  return (value) => from + (value / 2 - low / 2) / span * (to - from);
}

function fitted(text, room) {
  const letters = Math.max(2, Math.floor(room / 6));
  return text.length <= letters ? text : text.slice(0, letters - 1) + "…";
}

function bottomAxis(picture, { x, marks }, box, { integral = false, format = number } = {}) {
  picture.append(svg("line", { class: "axis", x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom }));
  for (const mark of marks.filter((value) => !integral || Number.isInteger(value))) {
    picture.append(svg("line", { class: "axis", x1: x(mark), x2: x(mark), y1: box.bottom, y2: box.bottom + 4 }),
      svg("text", { x: x(mark), y: box.bottom + 16, "text-anchor": "middle" }, format(mark)));
  }
}

function leftAxis(picture, y, low, high, box, format) {
  for (const mark of ticks(low, high, Math.max(4, Math.floor((box.bottom - box.top) / 45)))) {
    picture.append(svg("line", { class: "axis", x1: box.left, x2: box.right, y1: y(mark), y2: y(mark) }),
      svg("text", { x: box.left - 6, y: y(mark) + 3.5, "text-anchor": "end" }, format(mark)));
  }
}

// The horizontal scale of a plot, and the values to label.
function acrossScale(plot, box) {
  const count = Math.max(2, Math.floor((box.right - box.left) / 60));
  if (!plot.log) return { x: scale(plot.low, plot.high, box.left, box.right), marks: ticks(plot.low, plot.high, count) };
  const even = scale(Math.log(plot.low), Math.log(plot.high), box.left, box.right);
  const decades = Math.log10(plot.high) - Math.log10(plot.low), factors = decades * 2 > count ? [1] : [1, 3];
  const every = Math.ceil(decades / count), marks = [];
  for (let power = Math.floor(Math.log10(plot.low)); power <= Math.log10(plot.high); power += every) {
    for (const factor of factors) marks.push(factor * 10 ** power);
  }
  return { x: (value) => even(Math.log(value)), marks: marks.filter((mark) => mark >= plot.low && mark <= plot.high) };
}

const path = (points) => points.map(([x, y], index) => `${index ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

function text(picture, x, y, content, attributes = {}) {
  picture.append(svg("text", { x, y, ...attributes }, content));
}

// --- distributions ---

const largest = (...lists) => Math.max(1e-9, ...lists.flatMap((list) => list || []));

function outline(shares, x, y, bottom) {
  const points = [[x(0), bottom]];
  shares.forEach((share, bin) => points.push([x(bin), y(share)], [x(bin + 1), y(share)]));
  points.push([x(shares.length), bottom]);
  return points;
}

// The baseline as a gray area, the current data as a blue outline above it.
function histogram(picture, plot, box) {
  const bins = (plot.baseline || plot.current).length;
  const x = scale(0, bins, box.left, box.right);
  const y = scale(0, largest(plot.baseline, plot.current), box.bottom, box.top);
  if (plot.baseline) {
    picture.append(svg("path", { class: "base-fill", d: path(outline(plot.baseline, x, y, box.bottom)) + "Z" }));
  }
  if (plot.current) {
    const d = path(outline(plot.current, x, y, box.bottom));
    picture.append(svg("path", { class: "now-fill", d }), svg("path", { class: "now-line", d }));
  }
  return { bins, x };
}

function binName(plot, bin, bins) {
  const between = (low, high, index) => low * (1 - index / bins) + high * (index / bins);
  const edge = (index) => plot.log ? Math.exp(between(Math.log(plot.low), Math.log(plot.high), index))
    : between(plot.low, plot.high, index);
  const from = edge(bin), to = edge(bin + 1);
  if (!plot.whole) return `${number(from)} to ${number(to)}`;
  const first = Math.ceil(from), last = Math.floor(to - 1e-9);
  return first >= last ? number(first, 12) : `${number(first, 12)} to ${number(last, 12)}`;
}

const compared = (name, baseline, current) =>
  `${name}\nBaseline ${percent(baseline)}\nNow ${percent(current)}`;

const at = (list, index) => list ? list[index] : null;

function miniature(plot) {
  return (picture, width, height) => {
    const box = { left: 1, right: width - 1, top: 3, bottom: height - 1 };
    picture.append(svg("line", { class: "axis", x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom }));
    if (plot.kind === "numbers") return void histogram(picture, plot, box);
    bars(picture, plot, box);
  };
}

// Vertical pairs of bars without labels, for small plots.
function bars(picture, plot, box) {
  const categories = withRest(plot);
  const step = Math.min(40, (box.right - box.left) / categories.length);
  const y = scale(0, largest(plot.baseline, plot.current, plot.rest), box.bottom, box.top);
  categories.forEach(({ label, baseline, current }, index) => {
    const left = box.left + index * step + step * 0.12, width = step * 0.38;
    for (const [share, style, x] of [[baseline, "base-fill", left], [current, "now-bar", left + width]]) {
      if (share) picture.append(svg("rect", { class: style, x, y: y(share), width, height: box.bottom - y(share) }));
    }
    picture.append(svg("rect", { class: "hit", x: box.left + index * step, y: 0, width: step, height: box.bottom,
      "data-tip": compared(label, baseline, current) }));
  });
}

function withRest(plot) {
  const rows = plot.labels.map((label, index) =>
    ({ label: label === "" ? "(empty)" : label, baseline: at(plot.baseline, index), current: at(plot.current, index) }));
  if (Math.max(...plot.rest.map((share) => share || 0)) > 5e-5) {
    rows.push({ label: "all others", baseline: plot.rest[0], current: plot.rest[1] });
  }
  return rows;
}

function distribution(plot) {
  return plot.kind === "numbers" ? numbers(plot) : categories(plot);
}

function numbers(plot) {
  return (picture, width, height) => {
    const box = { left: 40, right: width - 10, top: 8, bottom: height - 22 };
    const top = largest(plot.baseline, plot.current);
    leftAxis(picture, scale(0, top, box.bottom, box.top), 0, top, box, (share) => number(100 * share, 3) + "%");
    const { bins, x } = histogram(picture, plot, box);
    bottomAxis(picture, acrossScale(plot, box), box, { integral: plot.whole });
    if (plot.log) text(picture, box.right, box.top + 6, "log scale", { "text-anchor": "end" });
    for (let bin = 0; bin < bins; bin++) {
      picture.append(svg("rect", { class: "hit", x: x(bin), y: box.top, width: x(bin + 1) - x(bin),
        height: box.bottom - box.top,
        "data-tip": compared(binName(plot, bin, bins), at(plot.baseline, bin), at(plot.current, bin)) }));
    }
  };
}

function categories(plot) {
  return (picture, width, height) => {
    const rows = withRest(plot);
    const names = Math.min(width * 0.38, 6.2 * Math.max(...rows.map(({ label }) => label.length)) + 12);
    const step = Math.min(44, height / rows.length);
    const x = scale(0, largest(plot.baseline, plot.current, plot.rest), names, width - 50);
    const thick = Math.max(2, Math.min(13, step * 0.36));
    rows.forEach(({ label, baseline, current }, index) => {
      const top = index * step + (step - 2 * thick) / 2;
      text(picture, names - 8, index * step + step / 2 + 4, fitted(label, names - 8), { "text-anchor": "end" });
      picture.append(
        svg("rect", { class: "base-fill", x: names, y: top, width: x(baseline || 0) - names, height: thick }),
        svg("rect", { class: "now-bar", x: names, y: top + thick, width: x(current || 0) - names, height: thick }));
      if (current !== null || baseline !== null) {
        text(picture, x(Math.max(baseline || 0, current || 0)) + 6, index * step + step / 2 + 4,
          percent(current === null ? baseline : current));
      }
      picture.append(svg("rect", { class: "hit", x: 0, y: index * step, width, height: step,
        "data-tip": compared(label, baseline, current) }));
    });
    picture.append(svg("line", { class: "axis", x1: names, x2: names, y1: 0, y2: rows.length * step }));
  };
}

// The cumulative shares: the drift distance is the largest gap between them.
function cumulative(plot) {
  return (picture, width, height) => {
    const box = { left: 40, right: width - 10, top: 8, bottom: height - 22 };
    const across = acrossScale(plot, box), x = across.x, y = scale(0, 1, box.bottom, box.top);
    leftAxis(picture, y, 0, 1, box, (share) => number(100 * share, 3) + "%");
    bottomAxis(picture, across, box, { integral: plot.whole });
    [["baseline", "base-line", 0], ["current", "now-line", 1]].forEach(([side, style, index]) => {
      if (!plot[side]) return;
      let share = plot.below[index];
      const bins = plot[side].length, place = scale(0, bins, box.left, box.right);
      const points = [[box.left, y(share)]];
      plot[side].forEach((more, bin) => points.push([place(bin + 1), y(Math.min(1, share += more))]));
      picture.append(svg("path", { class: style, d: path(points) }));
    });
    if (plot.gap && plot.gap.at >= plot.low && plot.gap.at <= plot.high) {
      const left = x(plot.gap.at), middle = (y(plot.gap.baseline) + y(plot.gap.current)) / 2;
      const right = left > (box.left + box.right) / 2;
      picture.append(svg("line", { class: "gap", x1: left, x2: left, y1: y(plot.gap.baseline),
        y2: y(plot.gap.current) }));
      text(picture, left + (right ? -8 : 8), middle + 4,
        `gap ${number(Math.abs(plot.gap.baseline - plot.gap.current), 3)} at ${number(plot.gap.at)}`,
        { class: "strong", "text-anchor": right ? "end" : "start" });
    }
  };
}

// --- the list of features: search, filter, sort, open ---

function featureList(table, { detail, miniatures }) {
  const body = table.tBodies[0], rows = [...body.rows], heads = [...table.tHead.rows[0].cells];
  const search = document.getElementById("search"), only = document.getElementById("only");
  const sorting = document.getElementById("sorting"), shown = document.getElementById("shown");

  function filter() {
    const wanted = search.value.trim().toLowerCase();
    let count = 0;
    for (const row of rows) {
      const fits = row.dataset.name.toLowerCase().includes(wanted) && !(only.checked && !row.dataset.flagged);
      row.hidden = !fits;
      if (row.opened) row.opened.hidden = !fits;
      count += fits;
    }
    shown.value = count === rows.length ? `${count} features` : `${count} of ${rows.length} features`;
    document.getElementById("none").hidden = count > 0;
  }

  function sort(column, falling) {
    const value = (row) => column === 0 ? row.dataset.name : row.cells[column].dataset.value;
    const compare = (one, other) => {
      const a = value(one), b = value(other);
      if (column === 0) return (falling ? -1 : 1) * a.localeCompare(b, "en", { numeric: true });
      // Features without a value come last in both directions.
      if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
      return falling ? b - a : a - b;
    };
    for (const head of heads) head.removeAttribute("aria-sort");
    heads[column].setAttribute("aria-sort", falling ? "descending" : "ascending");
    sorting.value = column;
    for (const row of rows.slice().sort(compare)) body.append(...(row.opened ? [row, row.opened] : [row]));
  }

  function toggle(row, open = !row.opened) {
    row.querySelector("button").setAttribute("aria-expanded", open);
    if (!open && row.opened) { row.opened.remove(); row.opened = null; }
    if (open && !row.opened) {
      row.opened = html("tr", { class: "detail" }, html("td", { colspan: row.cells.length }));
      row.after(row.opened);
      detail(row.opened.cells[0], Number(row.dataset.index));
      drawInSight();
    }
  }

  function follow() {
    const row = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (!row || !rows.includes(row)) return;
    if (row.hidden) { search.value = ""; only.checked = false; filter(); }
    toggle(row, true);
    row.scrollIntoView({ block: "start" });
  }

  heads.forEach((head, column) => {
    const button = head.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      sort(column, before ? before === "ascending" : column > 0);
    });
    sorting.append(html("option", { value: column }, button.textContent));
    if (head.hasAttribute("aria-sort")) sorting.value = column;
  });
  if (!heads.some((head) => head.hasAttribute("aria-sort"))) sorting.selectedIndex = -1;
  sorting.addEventListener("change", () => sort(Number(sorting.value), sorting.value !== "0"));
  search.addEventListener("input", filter);
  only.addEventListener("change", filter);
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (rows.includes(row) && !getSelection().toString()) toggle(row);
  });
  for (const row of rows) {
    const place = row.querySelector("td.plot div"), plot = miniatures(Number(row.dataset.index));
    if (place && plot) lazily(place, plot);
  }
  addEventListener("hashchange", follow);
  filter();
  follow();
}
