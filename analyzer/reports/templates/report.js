"use strict";
// The report on one run: distributions of the features, curves and the confusion matrix of the model.

const drawn = {
  distribution: (index) => distribution(data.features[index].plot),
  curve: (index) => curve(data.curves[index]),
  confusion: () => confusion(data.confusion),
};
for (const figure of document.querySelectorAll("[data-draw]")) {
  lazily(figure, drawn[figure.dataset.draw](Number(figure.dataset.index)));
}

const features = document.getElementById("features");
if (features) featureList(features, {
  miniatures: (index) => data.features[index].plot && miniature(data.features[index].plot),
  detail: featureDetail,
});
drawInSight();

function featureDetail(cell, index) {
  const { plot, facts } = data.features[index];
  const facets = html("div", { class: "facets" });
  cell.append(facets);
  if (plot) {
    const figure = html("div", { class: "figure" });
    facets.append(html("div", {}, html("h3", {}, plot.kind === "numbers" ? "Distribution" : "Share of values"), figure));
    lazily(figure, distribution(plot));
  }
  if (plot && plot.kind === "numbers") {
    const figure = html("div", { class: "figure" });
    facets.append(html("div", {}, html("h3", {}, "Cumulative share of values"), figure));
    lazily(figure, cumulative(plot));
  }
  const line = (tag, cells) => html("tr", {}, ...cells.map((content) => html(tag, {}, content)));
  facets.append(html("table", {}, html("thead", {}, line("th", ["", "Baseline", "Current"])),
    html("tbody", {}, ...facts.map((cells) => line("td", cells)))));
}

function curve({ x, y, points, baseline, diagonal }) {
  return (picture, width, height) => {
    const box = { left: 40, right: width - 10, top: 8, bottom: height - 38 };
    const unit = acrossScale({ low: 0, high: 1 }, box), across = unit.x, up = scale(0, 1, box.bottom, box.top);
    const share = (value) => number(value, 2);
    leftAxis(picture, up, 0, 1, box, share);
    bottomAxis(picture, unit, box, { format: share });
    text(picture, (box.left + box.right) / 2, height - 4, x, { "text-anchor": "middle" });
    text(picture, 10, (box.top + box.bottom) / 2, y,
      { "text-anchor": "middle", transform: `rotate(-90 10 ${(box.top + box.bottom) / 2})` });
    if (diagonal) {
      picture.append(svg("line", { class: "axis", "stroke-dasharray": "4 3", x1: across(0), y1: up(0), x2: across(1),
        y2: up(1) }));
    }
    for (const [line, style] of [[baseline, "base-line"], [points, "now-line"]]) {
      if (line) picture.append(svg("path", { class: style, d: path(line.map(([a, b]) => [across(a), up(b)])) }));
    }
  };
}

// Shaded by the share of the label's records, so that rare classes are visible, too.
function confusion({ classes, counts }) {
  return (picture, width, height) => {
    const names = Math.min(width * 0.3, 6.2 * Math.max(...classes.map((name) => name.length)) + 30);
    const box = { left: names, right: width - 4, top: 4, bottom: height - 38 };
    const across = (box.right - box.left) / classes.length, down = (box.bottom - box.top) / classes.length;
    counts.forEach((row, label) => {
      const total = row.reduce((sum, count) => sum + count, 0) || 1;
      if (down >= 11) {
        text(picture, names - 8, box.top + (label + 0.5) * down + 4, fitted(classes[label], names - 26),
          { "text-anchor": "end" });
      }
      row.forEach((count, prediction) => {
        const left = box.left + prediction * across, top = box.top + label * down;
        picture.append(svg("rect", { x: left, y: top, width: across - 1, height: down - 1, rx: 2,
          style: `fill: color-mix(in srgb, var(--heat) ${Math.round(70 * count / total)}%, var(--heat-0))` }));
        const digits = number(count, 6);
        if (across > 7 * digits.length && down > 14) {
          text(picture, left + across / 2, top + down / 2 + 4, digits, { "text-anchor": "middle", class: "strong" });
        }
        picture.append(svg("rect", { class: "hit", x: left, y: top, width: across, height: down,
          "data-tip": `Label ${classes[label]}, prediction ${classes[prediction]}\n${digits} records, ` +
            `${percent(count / total)} of the label` }));
      });
    });
    classes.forEach((name, index) => {
      if (across >= 24) {
        text(picture, box.left + (index + 0.5) * across, box.bottom + 15, fitted(name, across),
          { "text-anchor": "middle" });
      }
    });
    text(picture, (box.left + box.right) / 2, height - 4, "Prediction", { "text-anchor": "middle" });
    text(picture, 10, (box.top + box.bottom) / 2, "Label",
      { "text-anchor": "middle", transform: `rotate(-90 10 ${(box.top + box.bottom) / 2})` });
  };
}
