// Evaluations (docs/schemas/evaluation.json) as views need them: which one, what it means in words,
// and series of them over time.

import { h } from "./dom.js";
import { digits, interval, none } from "./format.js";

export const WINDOWS = [["1m", "1 minute"], ["1h", "1 hour"], ["1d", "1 day"], ["all", "since the start"]];
export const windowName = (w) => (WINDOWS.find(([value]) => value === w) ?? [w, w])[1];

// segmentText is NAME=VALUE of an evaluation's segment, "" for all examples.
export function segmentText(evaluation) {
  return Object.entries(evaluation.segment ?? {}).map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`).join(" & ");
}

// newest is the last evaluation of an objective's window, of all examples or of a segment.
export function newest(state, objective, window, segment = "") {
  return (state.evaluations ?? []).findLast((e) => e.objective === objective && e.window === window && segmentText(e) === segment);
}

// judgement says in words what predicted over actual means: sure only when the interval leaves 1 out.
export function judgement(e) {
  const value = e?.predicted_over_actual, ends = e?.predicted_over_actual_interval;
  if (value === undefined || value === null) return { kind: "waits", words: "no positive yet" };
  if (!ends) return { kind: "waits", words: "no interval" };
  if (ends[0] > 1) return { kind: ends[0] > 1.1 ? "bad" : "slow", words: "▲ too high" };
  if (ends[1] < 1) return { kind: ends[1] < 0.9 ? "bad" : "slow", words: "▼ too low" };
  return { kind: "ok", words: "● in line" };
}

// off is how far predicted over actual is from 1 for sure: the nearer end of its interval, as a
// logarithm; 0 where the interval holds 1.
export function off(e) {
  const ends = e.predicted_over_actual_interval;
  if (!ends) return e.predicted_over_actual > 0 ? Math.abs(Math.log(e.predicted_over_actual)) : null;
  return Math.max(0, Math.log(Math.max(ends[0], 1e-9)), -Math.log(Math.max(ends[1], 1e-9)));
}

// MEASURES are those that have a chart.
export const MEASURES = [
  { key: "log_loss", name: "Log loss", places: 4, note: "Natural logarithm, mean over examples, each predicted before it was learned. Lower is better." },
  { key: "normalized_entropy", name: "Normalized entropy", places: 3, guide: { at: 1, name: "the base rate" }, note: "Log loss over that of always predicting the base rate. Below 1 (dashed) is better than that." },
  { key: "predicted_over_actual", name: "Predicted over actual", places: 3, guide: { at: 1, name: "right" }, note: "Sum of probabilities over positives. 1 (dashed) is right; above, predictions are too high." },
  { key: "auc", name: "AUC", places: 3, guide: { at: 0.5, name: "chance" }, note: "How often a positive is scored above a negative. 0.5 (dashed) is chance, 1 is perfect order." },
];

// measured is a measure of an evaluation with its interval.
export const measured = (e, measure) => (e ? interval(e[measure.key], e[measure.key + "_interval"], measure.places) : none());
export const plain = (places) => (value) => digits(value, places);

// moment is where a window stands on the axis, in seconds: its end, when its figures were known.
export const moment = (e) => Date.parse(e.end ?? e.start) / 1000;

const caches = new Map(); // by query: { points by moment, asked, error }
const MOST_CACHES = 12, MOST_POINTS = 500, AGAIN_MS = 15_000;

// series are the points of a query ({objective, window, segment, network}) in order of time. It asks
// the server at first, then again after 15 s; what states bring meanwhile comes between.
export function series(page, query) {
  const key = JSON.stringify(query);
  const cache = caches.get(key) ?? { points: new Map(), asked: -Infinity, error: "", gaps: [], loaded: false };
  caches.delete(key);
  caches.set(key, cache);
  if (caches.size > MOST_CACHES) caches.delete(caches.keys().next().value);
  if (performance.now() - cache.asked > AGAIN_MS && !page.paused) ask(page, query, cache);
  if (query.window !== "block") {
    const last = newest(page.shown, query.objective, query.window, query.segment ?? "");
    if (last && !query.network) cache.points.set(moment(last), last);
  }
  const points = [...cache.points.values()].filter((e) => Number.isFinite(moment(e))).sort((a, b) => moment(a) - moment(b));
  for (const old of points.slice(0, -MOST_POINTS)) cache.points.delete(moment(old));
  return { points: points.slice(-MOST_POINTS), error: cache.error, gaps: cache.gaps, loaded: cache.loaded };
}

function ask(page, query, cache) {
  cache.asked = performance.now();
  const text = new URLSearchParams(Object.entries(query).filter(([, value]) => value));
  text.set("points", MOST_POINTS);
  page.get("v1/dashboard/series?" + text).then((answer) => {
    cache.points = new Map((answer.points ?? []).map((e) => [moment(e), e]));
    cache.error = "";
    cache.gaps = answer.gaps ?? [];
  }, (err) => { cache.error = err.message; }).finally(() => { cache.loaded = true; page.redraw(); });
}

// forget has every series asked for anew: after the connection was lost, or the server was replaced.
export function forget() {
  for (const cache of caches.values()) cache.asked = -Infinity;
}

// seriesProblem says that a series could not be read, or what is missing of its past.
export const seriesProblem = (s) => (s.error || s.gaps.length > 0) && h("p", { class: "notice slow" },
  s.error ? `The series could not be read: ${s.error}. It is asked for again.` : "Missing of the past: " + s.gaps.join("; ") + ".");
