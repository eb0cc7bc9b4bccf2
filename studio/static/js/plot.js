// Draws Vega-Lite plots. Expressions are interpreted, so that the page's policy needs no 'unsafe-eval'.
function load(name) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = new URL(`../vendor/${name}`, import.meta.url).href;
    script.onload = resolve;
    script.onerror = reject;
    document.head.append(script);
  });
}

await load("vega.min.js");
await load("vega-lite.min.js");
const { expressionInterpreter } = await import("../vendor/vega-interpreter.js");

// pixels that the axis takes, and those of a legend's symbol with the gap after its label
const AXIS_WIDTH = 70;
const SYMBOL_WIDTH = 30;

function config(width) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const axis = { labelColor: colour("--text"), titleColor: colour("--text"), gridColor: colour("--line"), domainColor: colour("--muted"), tickColor: colour("--muted"), titleFontWeight: "normal" };
  // labels of more columns would be cut off in narrow windows
  const columns = width < 480 ? 1 : 2;
  const labelLimit = Math.max(60, (width - AXIS_WIDTH) / columns - SYMBOL_WIDTH);
  return {
    background: "transparent",
    font: style.getPropertyValue("font-family"),
    axis,
    legend: { labelColor: axis.labelColor, titleColor: axis.titleColor, orient: "bottom", columns, labelLimit },
    header: { labelColor: axis.labelColor, titleColor: axis.titleColor },
    view: { stroke: null },
    range: { category: [1, 2, 3, 4, 5, 6].map((number) => colour(`--series-${number}`)) },
    mark: { color: colour("--series-1") },
  };
}

export async function drawPlot(figure) {
  const canvas = figure.querySelector(".canvas");
  const spec = { width: "container", height: 220, ...JSON.parse(figure.querySelector(".spec").textContent) };
  const { spec: compiled } = window.vegaLite.compile(spec, { config: config(canvas.clientWidth) });
  const runtime = window.vega.parse(compiled, null, { ast: true });
  const view = new window.vega.View(runtime, { expr: expressionInterpreter, renderer: "svg", container: canvas, hover: true });
  await view.runAsync();
}
