// Last predictions with their outcomes, and last labels. Rows come by themselves while nobody reads:
// a pointer, a focus or a selection in the table holds it, and so does a system that asks for little
// motion. A button brings the newer ones.

import { brief, h, untrusted } from "./dom.js";
import { digits, plural, probability, significant, time } from "./format.js";
import { reducedMotion } from "./settings.js";
import { table } from "./table.js";

export const view = { hash: "predictions", name: "Predictions", title: "Last predictions", draw };

let held = null; // { predictions, judged } while a reader is in the table
let reading = false;

function draw(state, page) {
  const now = { predictions: state.predictions ?? [], judged: state.judged ?? [] };
  if (!held || (!reading && !reducedMotion() && !isSelecting())) held = now;
  const known = new Set(held.predictions.map((p) => p.id));
  const newer = now.predictions.filter((p) => !known.has(p.id)).length;
  // outcomes of the rows that stay may change in place
  const fresh = new Map(now.predictions.map((p) => [p.id, p]));
  const rows = held.predictions.map((p) => fresh.get(p.id) ?? p);
  const hold = (on) => () => { reading = on; page.redraw(); };
  return [
    finder(),
    h("p", { class: "holding" },
      h("button", { type: "button", disabled: newer === 0, onclick: () => { held = now; page.redraw(); } }, newer ? `Show ${newer === now.predictions.length ? "the newest" : plural(newer, "newer one")}` : "Nothing newer"),
      h("span", { class: "note" }, reading || reducedMotion() ? " Held while you read." : " Rows come by themselves, but not while the pointer or the focus is among them.")),
    h("div", { onpointerenter: hold(true), onpointerleave: hold(false), mount: watch(hold) },
      table(predictionsTable(rows, state, page))),
    now.judged.length > 0 && h("section", { "aria-labelledby": "judgedTitle" }, h("h2", { id: "judgedTitle" }, "Last labels"),
      h("p", { class: "note" }, "Examples in the order in which feedback made them: what the learner learns next."), table(judgedTable(held.judged, page))),
  ];
}

// watch listens for the focus: focusin has no property of an element.
const watch = (hold) => (element) => {
  element.addEventListener("focusin", hold(true));
  element.addEventListener("focusout", hold(false));
};

const isSelecting = () => { const s = getSelection(); return Boolean(s && !s.isCollapsed && document.getElementById("main").contains(s.anchorNode)); };

function finder() {
  return h("form", { class: "selectors", role: "search", onsubmit: (e) => { e.preventDefault(); location.hash = "#prediction=" + encodeURIComponent(e.currentTarget.elements.id.value.trim()); } },
    h("label", null, "Prediction ", h("input", { name: "id", type: "search", required: true, maxlength: 1000, placeholder: "id", autocomplete: "off", spellcheck: "false" })),
    h("button", { type: "submit" }, "Show its way"));
}

const link = (id) => h("a", { href: "#prediction=" + encodeURIComponent(id) }, brief(id));

function predictionsTable(rows, state, page) {
  const objectives = (state.objectives ?? []).map((o) => o.name);
  const has = (name) => rows.some((p) => p[name]);
  return {
    key: "predictions", label: "Last predictions", rows, keyOf: (p) => p.id,
    empty: "No prediction yet. Ask for one: POST /v1/score on the public port, or start with --replay.",
    columns: [
      { name: "Prediction", wide: true, text: (p) => link(p.id) },
      { name: "Time", text: (p) => time(p.time, { recorded: page.recorded }) },
      has("user") && { name: "User", text: (p) => untrusted(p.user ?? "", 40) },
      { name: "Ad", text: (p) => untrusted(p.ad ?? "", 40) },
      has("campaign") && { name: "Campaign", text: (p) => untrusted(p.campaign ?? "", 40) },
      ...objectives.flatMap((o) => [
        { name: "p " + o, number: true, text: (p) => (p.p && o in p.p ? probability(p.p[o]) : h("span", { class: "none" }, "none")) },
        { name: "Outcome " + o, text: (p) => outcome(p.outcomes?.[o], page) },
      ]),
      { name: "Policy", text: (p) => untrusted(p.policy ?? "", 40) },
      { name: "Propensity", number: true, text: (p) => digits(p.propensity, 3) },
      { name: "Weights", text: (p) => Object.values(p.model ?? {}).map((v, i) => h("div", { key: i }, untrusted(v, 60))) },
    ].filter(Boolean),
  };
}

function outcome(o, page) {
  if (!o) return h("span", { class: "none" }, "not known yet");
  return [label(o.y), o.revised && h("span", { class: "word slow" }, " revised"), " ", time(o.time, { recorded: page.recorded })];
}

const label = (y) => (y === 1 ? h("span", { class: "word ok" }, "✓ positive") : y === 0 ? "– negative" : significant(y, 3));

function judgedTable(rows, page) {
  return {
    key: "judged", label: "Last labels", rows, keyOf: (j) => j.objective + "/" + j.id + "/" + j.labelled + "/" + j.y, empty: "None yet.",
    columns: [
      { name: "Prediction", wide: true, text: (j) => link(j.id) },
      { name: "Objective", text: (j) => j.objective },
      { name: "Label", text: (j) => [label(j.y), j.revised && h("span", { class: "word slow" }, " revised")] },
      { name: "Predicted", number: true, text: (j) => probability(j.p) },
      { name: "Predicted at", text: (j) => time(j.time, { recorded: page.recorded }) },
      { name: "Labelled at", text: (j) => time(j.labelled) },
    ],
  };
}
