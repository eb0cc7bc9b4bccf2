// Times in the reader's zone, copy buttons, plots and graphs; also in parts that htmx loads later.
import { drawGraphs } from "./graph.js";

const zone = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium", hourCycle: "h23" });

function showTimes(root) {
  for (const element of root.querySelectorAll("time[datetime]:not([data-local])")) {
    element.dataset.local = "";
    element.textContent = ("clock" in element.dataset ? clock : zone).format(new Date(element.dateTime));
  }
}

async function drawPlots(root) {
  const plots = root.querySelectorAll("figure.plot:not([data-drawn])");
  if (plots.length === 0) return;
  // before the import, during which parts that arrive look for plots, too
  for (const plot of plots) plot.dataset.drawn = "";
  const { drawPlot } = await import("./plot.js");
  for (const plot of plots) {
    try {
      await drawPlot(plot);
    } catch (error) {
      console.error(error);
      plot.querySelector(".canvas").textContent = "The plot could not be drawn.";
    }
  }
}

function announce(text) {
  document.getElementById("announcements").textContent = text;
}

async function copy(button) {
  await navigator.clipboard.writeText(button.dataset.copy);
  announce("Copied");
  const before = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = before), 1500);
}

function enhance(root) {
  showTimes(root);
  drawGraphs(root);
  drawPlots(root);
  // a log is read from its end
  for (const log of root.querySelectorAll("pre.log[data-follow]")) log.scrollTop = log.scrollHeight;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
  const opener = event.target.closest("[data-dialog]");
  if (opener) document.getElementById(opener.dataset.dialog).showModal();
  const closer = event.target.closest("[data-close]");
  if (closer) closer.closest("dialog").close();
});
// new lines scroll a followed log, unless its reader has scrolled up
document.addEventListener("htmx:beforeSwap", (event) => {
  const log = event.target.closest("pre.log[data-follow]");
  if (log && log.scrollHeight - log.scrollTop - log.clientHeight < 40) log.dataset.atEnd = "";
});
document.addEventListener("htmx:afterSwap", () => {
  const log = document.querySelector("pre.log[data-at-end]");
  if (!log) return;
  delete log.dataset.atEnd;
  log.scrollTop = log.scrollHeight;
});
document.addEventListener("htmx:afterSwap", (event) => enhance((event.detail.target ?? event.target).parentElement ?? document));
document.addEventListener("htmx:sseMessage", (event) => enhance(event.target));
document.addEventListener("htmx:sendError", () => announce("Studio does not respond; it may have stopped."));
enhance(document);
