// Quality over time: four measures with their intervals, by objective, window, segment and network.

import { h } from "./dom.js";
import { chart } from "./chart.js";
import { clock, duration, whole } from "./format.js";
import { MEASURES, moment, plain, series, seriesProblem, windowName } from "./evaluations.js";
import { selection, selectors } from "./selection.js";

export const view = { hash: "quality", name: "Quality", title: "Quality over time", draw };

function draw(state, page) {
  const sel = selection(state, page);
  if (!sel.objective) return h("p", { class: "empty" }, "No objective is configured. The setting objectives names what is to be predicted.");
  const query = sel.network ? { objective: sel.objective, window: "block", network: sel.network } : { objective: sel.objective, window: sel.window, segment: sel.segment };
  const s = series(page, query);
  return [
    selectors(state, page, sel, sel.network ? ["objective", "network"] : ["objective", "window", "segment", "network"]),
    h("p", { class: "note" }, explanation(sel)),
    seriesProblem(s),
    h("div", { class: "charts" }, MEASURES.map((m) => measureChart(m, s, sel, page))),
  ];
}

const STEPS = { "1m": 60, "1h": 3600, "1d": 86_400 }; // seconds from window to window

function explanation(sel) {
  if (sel.network) return "Log loss of this network over blocks of examples, whether it is served or not. Blocks have no intervals.";
  const what = sel.window === "all" ? "Each point is over all examples since the start of the process that judges." : `Each point is over a window of ${windowName(sel.window)}, and stands at its end.`;
  return what + " Bands are 95% intervals; one that is far wider than the values reaches over the edge. Drag to zoom; a double click shows all again.";
}

function measureChart(measure, s, sel, page) {
  const points = s.points.some((e) => typeof e[measure.key] === "number") ? s.points : []; // all, so that charts share their axis
  const ends = measure.key + "_interval", banded = points.some((e) => e[ends]);
  return chart({
    key: `${measure.key}/${sel.objective}/${sel.network || sel.window}/${sel.segment}`,
    title: measure.name, note: measure.note, sync: "quality",
    xs: points.map(moment),
    x: { title: page.recorded ? "Time (recorded)" : "Time", time: true, step: sel.network ? 0 : STEPS[sel.window], text: (s) => clock(new Date(s * 1000)) },
    y: { text: plain(measure.places), guide: measure.guide },
    lines: [{
      name: measure.name, ys: points.map((e) => e[measure.key] ?? null),
      lows: banded ? points.map((e) => e[ends]?.[0] ?? null) : undefined, highs: banded ? points.map((e) => e[ends]?.[1] ?? null) : undefined,
    }],
    more: [{ name: "Examples", values: points.map((e) => e.examples), text: whole }],
    empty: empty(measure, s, sel),
  });
}

function empty(measure, s, sel) {
  if (!s.loaded) return "Asking the server …";
  if (s.points.length && sel.network) return "Blocks of one network tell its log loss alone.";
  if (s.points.length && measure.key === "log_loss") return "These windows tell no log loss.";
  if (s.points.length) return "Not defined yet: it needs a positive and a negative in one window.";
  if (sel.network) return "No block yet. The learner writes the first after some hundred examples.";
  const wait = duration(sel.known?.window_ms);
  return `No whole window of ${windowName(sel.window)} yet. One is whole when later events have come and the ${wait} in which labels may change have passed. “Since the start” has figures earlier.`;
}
