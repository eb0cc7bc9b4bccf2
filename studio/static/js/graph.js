// Lays out graphs with dagre. Without a script they are lists of links, in the order of the steps.
const NODE_WIDTH = 218;
const NODE_HEIGHT = 58;
const SVG = "http://www.w3.org/2000/svg";

export function drawGraphs(root) {
  for (const figure of root.querySelectorAll("figure.graph:not([data-drawn])")) {
    figure.dataset.drawn = "";
    draw(figure);
    // the direction depends on the width
    let width = figure.clientWidth;
    new ResizeObserver(() => {
      if (Math.abs(figure.clientWidth - width) > 40) draw(figure);
      width = figure.clientWidth;
    }).observe(figure);
  }
}

function draw(figure) {
  const edges = JSON.parse(figure.querySelector("script.edges").textContent);
  const nodes = [...figure.querySelectorAll("[data-node]")];
  const wide = layout(nodes, edges, "LR");
  const chosen = wide.graph().width <= figure.clientWidth ? wide : layout(nodes, edges, "TB");
  const { width, height } = chosen.graph();
  const canvas = figure.querySelector(".canvas");
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  for (const node of nodes) {
    const { x, y } = chosen.node(node.dataset.node);
    node.style.left = `${x - NODE_WIDTH / 2}px`;
    node.style.top = `${y - NODE_HEIGHT / 2}px`;
  }
  canvas.querySelector("svg.edges")?.remove();
  canvas.prepend(drawEdges(chosen, width, height));
  figure.classList.add("drawn");
}

function layout(nodes, edges, direction) {
  const graph = new window.dagre.graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: direction, nodesep: 18, ranksep: direction === "LR" ? 56 : 36, marginx: 4, marginy: 4 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const node of nodes) graph.setNode(node.dataset.node, { width: NODE_WIDTH, height: NODE_HEIGHT });
  edges.forEach(({ source, target, label }, index) => {
    const size = label ? { width: 34, height: 16, labelpos: "c" } : {};
    graph.setEdge(source, target, { label: label ?? "", ...size }, `${index}`);
  });
  window.dagre.layout(graph);
  return graph;
}

function drawEdges(graph, width, height) {
  const svg = element("svg", { class: "edges", width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
  const marker = element("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" });
  marker.append(element("path", { d: "M0 0 8 4 0 8z" }));
  svg.append(marker);
  for (const edge of graph.edges()) {
    const { points, label, x, y } = graph.edge(edge);
    svg.append(element("path", { class: "edge", d: curve(points), "marker-end": "url(#arrow)" }));
    if (label) {
      const text = element("text", { x, y: y + 4, "text-anchor": "middle" });
      text.textContent = label;
      svg.append(text);
    }
  }
  return svg;
}

// a smooth line through the middles of a polyline's sections
function curve(points) {
  const [first, ...rest] = points;
  let path = `M${first.x} ${first.y}`;
  for (let i = 0; i < rest.length - 1; i++) {
    const middle = { x: (rest[i].x + rest[i + 1].x) / 2, y: (rest[i].y + rest[i + 1].y) / 2 };
    path += ` Q${rest[i].x} ${rest[i].y} ${middle.x} ${middle.y}`;
  }
  const last = rest[rest.length - 1];
  return `${path} L${last.x} ${last.y}`;
}

function element(name, attributes) {
  const created = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) created.setAttribute(key, value);
  return created;
}
