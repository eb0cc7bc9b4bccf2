"use strict";
// The report on many runs: drift, distributions and metrics over time.

const drawn = {
  counts: (index) => counts(data.counts[index]),
  metric: (index) => metric(data.metrics[index], data.modelRuns, "Threshold"),
  series: (index) => metric(data.series[index].rows, data.series[index].runs, data.series[index].limit),
  ridge: (index) => distributions(data.features[index], true),
};
for (const figure of document.querySelectorAll("[data-draw]")) {
  lazily(figure, drawn[figure.dataset.draw](Number(figure.dataset.index)));
}

const features = document.getElementById("features");
if (features) featureList(features, {
  miniatures: (index) => strip(data.features[index].drift),
  detail: featureDetail,
});
drawInSight();

function featureDetail(cell, index) {
  const facets = html("div", { class: "facets two" });
  cell.append(facets);
  const feature = data.features[index];
  const add = (title, plot) => {
    const figure = html("div", { class: "figure high" });
    facets.append(html("div", {}, html("h3", {}, title), figure));
    lazily(figure, plot);
  };
  add("Drift distance", driftLine(feature.drift));
  if (feature.plot) add("Distribution", distributions(feature, false));
}

// --- time ---

// Labels as many runs as fit, always including the latest.
function timeAxis(picture, runs, place, bottom, width) {
  let free = Infinity;
  for (let index = runs.length - 1; index >= 0; index--) {
    const long = runs[index].length * 6.2;
    const middle = Math.min(place(index), width - long / 2);
    if (middle + long / 2 > free || middle < long / 2) continue;
    text(picture, middle, bottom + 16, runs[index], { "text-anchor": "middle" });
    free = middle - long / 2 - 12;
  }
}

function columns(runs, box) {
  const step = (box.right - box.left) / runs;
  return { step, left: (index) => box.left + index * step, middle: (index) => box.left + (index + 0.5) * step };
}

function hits(picture, runs, column, box, tip) {
  runs.forEach((run, index) => picture.append(svg("rect", { class: "hit", x: column.left(index), y: box.top,
    width: column.step, height: box.bottom - box.top, "data-tip": tip(run, index) })));
}

function counts({ runs, counts, unit }) {
  return (picture, width, height) => {
    const box = { left: 30, right: width - 4, top: 8, bottom: height - 22 };
    const column = columns(runs.length, box), highest = Math.max(1, ...counts);
    const y = scale(0, highest, box.bottom, box.top);
    leftAxis(picture, y, 0, highest, box, (count) => Number.isInteger(count) ? number(count) : "");
    counts.forEach((count, index) => {
      const thick = Math.min(36, column.step * 0.7);
      picture.append(svg("rect", { class: "bad-mark", x: column.middle(index) - thick / 2, y: y(count), width: thick,
        height: box.bottom - y(count) }));
    });
    picture.append(svg("line", { class: "axis", x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom }));
    timeAxis(picture, runs, column.middle, box.bottom, width);
    hits(picture, runs, column, box, (run, index) => `${run}\n${counts[index]} ${unit}`);
  };
}

// Splits a line at runs without a value.
function pieces(points) {
  const result = [[]];
  for (const point of points) {
    if (point) result.at(-1).push(point); else result.push([]);
  }
  return result.filter((piece) => piece.length);
}

function lineWithLimit(picture, runs, rows, box, y, width, tip) {
  const column = columns(runs.length, box);
  const band = (sign) => rows.map(([value, deviation], index) =>
    value === null ? null : [column.middle(index), y(value + sign * (deviation || 0))]);
  const upper = pieces(band(1)), lower = pieces(band(-1));
  upper.forEach((piece, index) => picture.append(svg("path", { class: "now-fill",
    d: path(piece.concat(lower[index].slice().reverse())) + "Z" })));
  rows.forEach(([, , limit], index) => {
    if (limit === null) return;
    picture.append(svg("line", { class: "limit", x1: column.left(index), x2: column.left(index + 1), y1: y(limit),
      y2: y(limit) }));
  });
  for (const piece of pieces(band(0))) picture.append(svg("path", { class: "now-line", d: path(piece) }));
  rows.forEach(([value, , , over], index) => {
    if (value === null) return;
    picture.append(svg("circle", { class: over ? "bad-mark" : "now-bar", cx: column.middle(index), cy: y(value),
      r: over ? 4 : Math.min(3, column.step / 3) }));
  });
  timeAxis(picture, runs, column.middle, box.bottom, width);
  hits(picture, runs, column, box, tip);
}

function metric(rows, runs, limitName) {
  return (picture, width, height) => {
    const ends = rows.flatMap(([value, deviation, limit]) =>
      [value === null ? null : value + (deviation || 0), value === null ? null : value - (deviation || 0), limit])
      .filter((value) => value !== null);
    if (!ends.length) return;
    const least = Math.min(...ends), most = Math.max(...ends), margin = (most - least) * 0.08 || Math.abs(most) * 0.05 || 1;
    const box = { left: 46, right: width - 4, top: 8, bottom: height - 22 };
    const low = least - margin, high = most + margin, y = scale(low, high, box.bottom, box.top);
    leftAxis(picture, y, low, high, box, (value) => number(value));
    lineWithLimit(picture, runs, rows, box, y, width, (run, index) => {
      const [value, deviation, limit] = rows[index];
      return `${run}\n${number(value)}` + (deviation === null ? "" : ` ± ${number(deviation)}`) +
        (limit === null ? "" : `\n${limitName} ${number(limit)}`);
    });
  };
}

function driftLine(drift) {
  return (picture, width, height) => {
    const rows = drift.map((cell) => cell ? [cell[0], null, cell[1], cell[2]] : [null, null, null, 0]);
    const highest = Math.max(0.01, ...rows.map(([value, , limit]) => Math.max(value || 0, (limit || 0) * 1.2)));
    const box = { left: 46, right: width - 4, top: 8, bottom: height - 22 };
    const y = scale(0, highest, box.bottom, box.top);
    leftAxis(picture, y, 0, highest, box, (value) => number(value));
    lineWithLimit(picture, data.runs, rows, box, y, width, (run, index) =>
      `${run}\nDrift distance ${number(rows[index][0])}\nThreshold ${number(rows[index][2])}`);
  };
}

// --- heat ---

function shade(share, over) {
  if (over) return "fill: var(--heat-over)";
  return `fill: color-mix(in srgb, var(--heat) ${Math.round(100 * share)}%, var(--heat-0))`;
}

// Below the threshold at most 60 % of the ramp, so that values above it stand out.
function driftCell(cell) {
  return cell[2] ? shade(1, true) : shade(Math.min(0.6, 0.6 * cell[0] / (cell[1] || 1)), false);
}

function strip(drift) {
  return (picture, width, height) => {
    const column = columns(drift.length, { left: 0, right: width });
    const gap = column.step > 5 ? 1.5 : 0;
    drift.forEach((cell, index) => picture.append(svg("rect", { x: column.left(index), y: 8,
      width: Math.max(0.5, column.step - gap), height: height - 16, rx: gap ? 2 : 0,
      style: cell ? driftCell(cell) : "fill: none",
      "data-tip": data.runs[index] + (cell ? `\nDrift distance ${number(cell[0])}\nThreshold ${number(cell[1])}`
        : "\nNot compared") })));
  };
}

function stepNames(plot) {
  if (plot.labels) return plot.labels;
  return plot.edges.slice(1).map((to, index) => {
    const from = plot.edges[index];
    if (from === null) return `below ${number(to)}`;
    return to === null ? `${number(from)} and more` : `${number(from)} to ${number(to)}`;
  });
}

// Runs in columns, steps in rows, shaded by the share of the records; the baseline is at the left.
function distributions({ plot, drift }, marks) {
  return (picture, width, height) => {
    const names = stepNames(plot), categories = Boolean(plot.labels);
    const left = categories ? Math.min(width * 0.34, 6.2 * Math.max(...names.map((name) => name.length)) + 10) : 46;
    const base = plot.baseline ? Math.min(26, (width - left) * 0.12) : 0;
    const box = { left: left + (base ? base + 8 : 0), right: width - 4, top: 4, bottom: height - 22 - (marks ? 10 : 0) };
    const down = (box.bottom - box.top) / names.length, column = columns(data.runs.length, box);
    const top = (step) => categories ? box.top + step * down : box.bottom - (step + 1) * down;
    const most = Math.max(1e-9, ...[plot.baseline, ...plot.runs].filter(Boolean).flat());
    const cells = (shares, x, across, title) => shares.forEach((share, step) => picture.append(svg("rect", {
      x, y: top(step), width: Math.max(0.5, across), height: down + (categories ? -1 : 0.4),
      style: shade(Math.sqrt(share / most), false), "data-tip": `${title}\n${names[step]}\n${percent(share)}` })));
    if (base) {
      cells(plot.baseline, left, base, "Baseline");
      text(picture, left + base / 2, box.bottom + 16, "B", { "text-anchor": "middle", class: "strong" });
    }
    const gap = column.step > 6 ? 1.5 : 0;
    plot.runs.forEach((shares, index) => {
      if (shares) cells(shares, column.left(index), column.step - gap, data.runs[index]);
      if (marks && drift[index]) {
        picture.append(svg("rect", { x: column.left(index), y: box.bottom + 3, width: Math.max(0.5, column.step - gap),
          height: 6, style: driftCell(drift[index]) }));
      }
    });
    timeAxis(picture, data.runs, column.middle, box.bottom + (marks ? 10 : 0), width);
    if (categories) {
      names.forEach((name, step) => {
        if (down >= 11) {
          text(picture, left - 6, top(step) + down / 2 + 4, fitted(name, left - 6), { "text-anchor": "end" });
        }
      });
      return;
    }
    const finite = plot.edges.filter((edge) => edge !== null), open = plot.edges[0] === null ? 1 : 0;
    if (plot.log) {
      const every = Math.ceil(22 / down);
      finite.forEach((edge, index) => index % every || text(picture, left - 6, box.bottom - (open + index) * down + 4,
        number(Number(edge.toPrecision(2))), { "text-anchor": "end" }));
      return;
    }
    const y = scale(finite[0], finite.at(-1), box.bottom - open * down, box.bottom - (open + finite.length - 1) * down);
    for (const mark of ticks(finite[0], finite.at(-1), Math.max(2, Math.floor((box.bottom - box.top) / 45)))) {
      text(picture, left - 6, y(mark) + 4, number(mark), { "text-anchor": "end" });
    }
  };
}
