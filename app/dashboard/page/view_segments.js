// Segments: the parts of the examples that are calibrated worst, and those with the most traffic.

import { brief, h } from "./dom.js";
import { digits, interval, whole } from "./format.js";
import { judgement, off, segmentText } from "./evaluations.js";
import { address, selection, selectors } from "./selection.js";
import { sortAgain, sortButton, table } from "./table.js";

export const view = { hash: "segments", name: "Segments", title: "Segments", draw };

function draw(state, page) {
  const sel = selection(state, page);
  const rows = (state.evaluations ?? []).filter((e) => e.objective === sel.objective && e.window === "all" && segmentText(e) !== "");
  const spec = {
    key: "segments/" + sel.objective, label: "Segments of " + sel.objective, rows, keyOf: segmentText, sortBy: "Surely off by", columns: columns(sel),
    empty: "No segment is judged yet. The setting objectives[].segments names the fields to judge by; figures come with the first examples.",
  };
  return [
    selectors(state, page, sel, ["objective"]),
    h("p", { class: "note" }, "Since the start. Sorted by how far predicted over actual is from 1 for sure: by the nearer end of its 95% interval. The server sends the 25 worst and the 25 with most examples. A column's name sorts; rows keep their places while figures change."),
    h("p", { class: "row" }, sortButton(spec, "Worst calibrated", "Surely off by"), sortButton(spec, "Most traffic", "Examples"), sortAgain(spec)),
    table(spec),
  ];
}

function columns(sel) {
  return [
    { name: "Segment", wide: true, sort: segmentText, down: false, text: (e) => h("a", { href: address("quality", { objective: sel.objective, window: "all", segment: segmentText(e) }) }, brief(segmentText(e), 120)) },
    { name: "Calibration", text: (e) => { const j = judgement(e); return h("span", { class: "word " + j.kind }, j.words); } },
    { name: "Predicted over actual", number: true, sort: (e) => e.predicted_over_actual, text: (e) => interval(e.predicted_over_actual, e.predicted_over_actual_interval, 2) },
    { name: "Surely off by", number: true, sort: off, down: true, text: (e) => { const o = off(e); return o === null ? "unknown" : digits((Math.exp(o) - 1) * 100, 1) + " %"; } },
    { name: "Examples", number: true, sort: (e) => e.examples, text: (e) => whole(e.examples) },
    { name: "Positives", number: true, sort: (e) => e.positives, text: (e) => whole(e.positives) },
    { name: "Log loss", number: true, sort: (e) => e.log_loss, text: (e) => digits(e.log_loss, 4) },
    { name: "Normalized entropy", number: true, sort: (e) => e.normalized_entropy, text: (e) => digits(e.normalized_entropy, 3) },
    { name: "AUC", number: true, sort: (e) => e.auc, text: (e) => digits(e.auc, 3) },
  ];
}
