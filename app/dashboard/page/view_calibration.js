// Calibration: for parts of about equal weight, what was predicted against what happened, and how
// the scores are spread.

import { h } from "./dom.js";
import { chart } from "./chart.js";
import { digits, significant, time, whole } from "./format.js";
import { judgement, newest, windowName } from "./evaluations.js";
import { selection, selectors } from "./selection.js";

export const view = { hash: "calibration", name: "Calibration", title: "Calibration", draw };

// SCORE_EDGES are the upper edges of the schema's member scores, but the last.
const SCORE_EDGES = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

function draw(state, page) {
  const sel = selection(state, page, "all"); // a minute has too few examples for parts
  const e = newest(state, sel.objective, sel.window, sel.segment);
  const choice = selectors(state, page, sel, ["objective", "window", "segment"]);
  if (!e) return [choice, h("p", { class: "empty" }, `No window of ${windowName(sel.window)} is whole yet for ${sel.objective || "an objective"}. “Since the start” has figures first.`)];
  const verdict = judgement(e);
  return [
    choice,
    h("dl", { class: "facts" },
      fact("Predicted over actual", [digits(e.predicted_over_actual, 3), ends(e.predicted_over_actual_interval), " ", h("span", { class: "word " + verdict.kind }, verdict.words)]),
      fact("Predicted positives", significant(e.predicted, 5)), fact("Actual positives", significant(e.actual ?? e.positives, 5)),
      fact("Calibration error (ECE)", digits(e.ece, 4)), fact("Examples", whole(e.examples)),
      fact("Window", [windowName(e.window), ", until ", time(e.end, { recorded: page.recorded })])),
    h("div", { class: "charts" }, plot(e, sel), histogram(e, sel)),
  ];
}

const fact = (name, value) => h("div", { key: name }, h("dt", null, name), h("dd", null, value));
const ends = (pair) => pair && h("span", { class: "ends" }, ` (${digits(pair[0], 3)} to ${digits(pair[1], 3)})`);

// wilson is an interval of a share, by Wilson's score, with a confidence of 95%.
export function wilson(positives, n) {
  if (!(n > 0)) return [null, null];
  const z = 1.96, p = Math.min(1, Math.max(0, positives / n));
  const middle = p + (z * z) / (2 * n), half = z * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n)), over = 1 + (z * z) / n;
  return [Math.max(0, (middle - half) / over), Math.min(1, (middle + half) / over)];
}

function plot(e, sel) {
  const bins = (e.calibration ?? []).filter((b) => b.weight > 0).map((b) => ({ ...b, p: b.predicted / b.weight, rate: b.actual / b.weight, ends: wilson(b.actual, b.weight) }));
  bins.sort((a, b) => a.p - b.p);
  const most = Math.max(...bins.map((b) => b.ends[1]), ...bins.map((b) => b.p));
  return chart({
    key: `calibration/${sel.objective}/${sel.window}/${sel.segment}`, height: 340,
    title: "Predicted against actual", note: "Each point is a part of the examples, of about equal weight. On the dashed line, predictions are right; above it they are too low. Whiskers are 95% intervals (Wilson's).",
    xs: bins.map((b) => b.p), x: { title: "Predicted", text: (v) => significant(v, 3), pad: most * 0.03 || 0.01 },
    y: { text: (v) => significant(v, 3), diagonal: true, from: 0, guide: undefined },
    lines: [{ name: "Actual rate", kind: "points", ys: bins.map((b) => b.rate), lows: bins.map((b) => b.ends[0]), highs: bins.map((b) => b.ends[1]) }],
    more: [{ name: "Examples (weight)", values: bins.map((b) => b.weight), text: whole }],
    empty: "This window tells no bins. They come with the next evaluation that has enough examples.",
  });
}

function histogram(e, sel) {
  const scores = e.scores ?? [];
  const labels = scores.map((_, i) => (i < SCORE_EDGES.length ? "≤ " + SCORE_EDGES[i] : "> 0.9"));
  return chart({
    key: `scores/${sel.objective}/${sel.window}/${sel.segment}`, height: 340,
    title: "Spread of scores", note: "Examples by their probability. A wide spread separates; all in one bar means that the network knows little more than the base rate.",
    xs: scores.map((_, i) => i), x: { title: "Probability", labels, pad: 0.6, text: (i) => labels[i] },
    y: { text: whole, from: 0 },
    lines: [{ name: "Examples", kind: "bars", ys: scores }],
    empty: "This window tells no scores. They come with the next evaluation.",
  });
}
