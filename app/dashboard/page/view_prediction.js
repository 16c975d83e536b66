// One prediction's way: what was asked, predicted and why, what happened, what was learned of it.

import { brief, h, untrusted } from "./dom.js";
import { bar } from "./bar.js";
import { digits, duration, none, plural, probability, significant, time, whole } from "./format.js";
import { table } from "./table.js";

export const view = { hash: "prediction", parent: "predictions", name: "Prediction", title: "One prediction's way", draw, keyed: true };

let asked = { id: null, story: null, error: "", abort: null };

function draw(state, page) {
  const id = page.argument;
  if (!id) return h("p", { class: "empty" }, "No id is given. Choose a prediction from ", h("a", { href: "#predictions" }, "the last ones"), ".");
  if (asked.id !== id) ask(page, id);
  return [
    h("p", null, h("a", { href: "#predictions" }, "← Last predictions"), " ", h("button", { type: "button", onclick: () => ask(page, id) }, "Read again")),
    h("h2", { key: "id", class: "id" }, untrusted(id, 400)),
    asked.error ? h("p", { class: "notice bad", role: "alert" }, asked.error) : asked.story ? told(asked.story, page) : h("p", { class: "empty" }, "Searching the topics …"),
  ];
}

function ask(page, id) {
  asked.abort?.abort();
  const mine = (asked = { id, story: asked.id === id ? asked.story : null, error: "", abort: new AbortController() });
  page.get("v1/predictions/" + id.split("/").map(encodeURIComponent).join("/"), mine.abort.signal).then(
    (story) => { mine.story = story; },
    (err) => { if (err.name !== "AbortError") mine.error = err.status === 404 ? `No prediction with this id is on the topic: ${err.message}` : `It cannot be read: ${err.message}`; },
  ).finally(() => page.redraw());
}

function told(s, page) {
  const options = { recorded: page.recorded };
  if (!s.prediction) return [h("p", { class: "empty" }, "No prediction with this id was found. Either none was logged, or retention has deleted it, or the id is another one's."), searched(s), notes(s)];
  return [
    notes(s), facts(s, options),
    (s.objectives ?? []).map((o) => objective(o, options)),
    section("events", "What happened", events(s, options)),
    section("features", "Features as used", features(s)),
    (s.others?.length || s.chosen?.length) ? section("others", "Other candidates of the request", others(s)) : null,
    s.dead_letters?.length ? section("letters", "Dead letters about it", letters(s)) : null,
    searched(s),
    h("section", { key: "message" }, h("h2", null, "The message"), h("p", { class: "message" }, untrusted(s.prediction.message ?? "", 200))),
  ];
}

const section = (key, title, content) => h("section", { key, "aria-labelledby": "s-" + key }, h("h2", { id: "s-" + key }, title), content);
const fact = (name, value) => h("div", { key: name }, h("dt", null, name), h("dd", null, value));
const place = (p) => (p?.topic ? `${p.topic}, partition ${p.partition}, offset ${wholeText(p.offset)}` : "");
const wholeText = (n) => (typeof n === "number" ? n.toLocaleString("en") : String(n));

function facts(s, options) {
  const p = s.prediction;
  return h("dl", { key: "facts", class: "facts" },
    fact("Made", time(p.time, options)), fact("Request", untrusted(s.request ?? "")),
    p.user && fact("User", untrusted(p.user)), p.anonymous && fact("Visitor", untrusted(p.anonymous)),
    p.ad && fact("Ad", untrusted(p.ad)), p.campaign && fact("Campaign", untrusted(p.campaign)),
    fact("Policy", [untrusted(p.policy ?? "greedy"), `, chosen with a probability of ${significantText(p.propensity)}`]),
    p.value && fact("Ranked by", [untrusted(p.value), typeof p.score === "number" ? " = " + significantText(p.score) : ""]),
    fact("Candidates not chosen", whole(p.not_chosen ?? 0)), p.excluded ? fact("Candidates excluded", whole(p.excluded)) : null,
    p.repeats ? fact("Repeats of the record", whole(p.repeats)) : null, fact("Stands at", place(p)));
}

const significantText = (n) => (typeof n === "number" ? significant(n, 4) : "not told");

const STATES = { labelled: ["ok", "● labelled"], revised: ["slow", "● revised"], waiting: ["waits", "◌ waiting"], overdue: ["bad", "■ overdue"], no_trigger: ["waits", "– no trigger"], no_model: ["slow", "▲ no weights"] };

function objective(o, options) {
  const [kind, words] = STATES[o.state] ?? ["waits", o.state ?? "unknown"];
  return section("objective/" + o.name, "Objective " + o.name, [
    h("dl", { class: "facts" },
      fact("Probability", probability(o.p)), fact("Weights", o.model ? untrusted(o.model) : none()),
      fact("Label", [typeof o.label === "number" ? significant(o.label, 4) + " " : "", h("span", { class: "word " + kind }, words)]),
      fact("Why", untrusted(o.why ?? "", 400)), fact("Decided", [time(o.due, options), `, ${duration(o.window_ms)} after the ${o.trigger}`])),
    o.examples?.length > 0 && examples(o), because(o),
  ]);
}

function examples(o) {
  return table({
    key: "examples/" + o.name, label: "Examples of " + o.name, rows: o.examples, keyOf: (e) => e.partition + "/" + e.offset,
    columns: [
      { name: "Label", text: (e) => [significant(e.y, 4), e.revision ? " (a revision)" : ""] },
      { name: "Weight", number: true, text: (e) => significant(e.w, 4) },
      { name: "Predicted", number: true, text: (e) => probability(e.p) },
      { name: "Learned by", text: (e) => (e.learned ?? []).map((l, i) => h("div", { key: i }, `${l.network || "default"}: `, l.version ? untrusted(l.version) : "not yet", l.version && !l.exact ? " at the latest" : "", l.why ? [", ", untrusted(l.why)] : "")) },
      { name: "Written", text: (e) => time(e.written) },
      { name: "Stands at", text: place },
    ],
  });
}

// because shows how far each feature moved the logit.
function because(o) {
  const b = o.because;
  if (!b) return h("p", { class: "note" }, "Why this probability: no weights could be read that tell it.");
  const rows = [{ feature: "without any feature", by: b.base, plain: true }, ...(b.shifts ?? []), ...(b.rest ? [{ feature: "all other features", by: b.rest, plain: true }] : []), ...(b.calibration ? [{ feature: "calibration", by: b.calibration, plain: true }] : [])];
  const most = Math.max(...rows.slice(1).map((r) => Math.abs(r.by)), 1e-9);
  return [
    h("h3", null, "Why"),
    h("p", { class: "note" }, `How far each feature moved the logit, by the weights ${b.version}${b.same ? ", which answered" : ", which are not those that answered"}: together ${digits(b.logit, 3)}, a probability of ${significantText(b.p)}.`),
    table({
      key: "because/" + o.name, label: "Why " + o.name, rows, keyOf: (r) => (r.plain ? "=" : "") + r.feature,
      columns: [
        { name: "Feature", wide: true, text: (r) => (r.plain ? h("em", null, r.feature) : untrusted(r.feature)) },
        { name: "Moves the logit by", number: true, text: (r) => (r.by > 0 ? "+" : "") + digits(r.by, 3) },
        { name: "Drawn", text: (r) => r !== rows[0] && bar(r.by / most, true) },
      ],
    }),
  ];
}

function events(s, options) {
  const names = (s.objectives ?? []).map((o) => o.name);
  return table({
    key: "events", label: "Events that name the prediction", rows: s.events ?? [], keyOf: (e) => e.partition + "/" + e.offset, empty: "No event names this prediction yet.",
    columns: [
      { name: "Event", text: (e) => [untrusted(e.type), e.name && e.name !== e.type ? [" (", untrusted(e.name), ")"] : ""] },
      { name: "Time", text: (e) => time(e.time, options) },
      { name: "After", number: true, text: (e) => duration(e.after_ms) },
      { name: "Counts as", wide: true, text: (e) => (e.verdicts ?? []).map((v, i) => h("div", { key: i }, `${v.objective ?? names[i] ?? ""}: ${v.counts ? v.role || "counts" : "does not count"}`, v.why ? [", ", untrusted(v.why, 200)] : "")) },
      { name: "Id", text: (e) => untrusted(e.id, 40) },
      { name: "Stands at", text: place },
    ],
  });
}

function features(s) {
  return table({
    key: "features", label: "Features", rows: s.features ?? [], keyOf: (f) => f.name, empty: "The prediction was logged without features.",
    columns: [
      { name: "Feature", wide: true, text: (f) => untrusted(f.name) },
      { name: "Value", wide: true, text: (f) => untrusted(f.value ?? "null", 200) },
      { name: "From", text: (f) => (f.entity ? "profile of the " + f.entity : "the request") },
      { name: "Age", number: true, text: (f) => (typeof f.age_ms === "number" ? duration(f.age_ms) : h("span", { class: "none" }, "none")) },
    ],
  });
}

function others(s) {
  return [
    s.chosen?.length > 0 && h("p", null, "Chosen, too: ", s.chosen.slice(0, 50).map((id, i) => [i ? ", " : "", h("a", { href: "#prediction=" + encodeURIComponent(id) }, brief(id))])),
    s.others?.length > 0 && table({
      key: "others", label: "Candidates that were not chosen", rows: s.others.slice(0, 200).map((o, i) => ({ ...o, i })), keyOf: (o) => String(o.i),
      columns: [
        { name: "Ad", text: (o) => untrusted(o.ad ?? "") }, { name: "Campaign", text: (o) => untrusted(o.campaign ?? "") },
        ...Object.keys(s.others[0].p ?? {}).slice(0, 8).map((name) => ({ name: "p " + name, number: true, text: (o) => probability(o.p?.[name]) })),
        { name: "Score", number: true, text: (o) => significant(o.score, 4) },
      ],
    }),
    s.others?.length > 200 && h("p", { class: "note" }, `The first 200 of ${wholeText(s.others.length)}.`),
  ];
}

function letters(s) {
  return table({
    key: "letters", label: "Dead letters", rows: s.dead_letters, keyOf: (l) => l.partition + "/" + l.offset,
    columns: [{ name: "Stage", text: (l) => untrusted(l.stage) }, { name: "Reason", wide: true, text: (l) => untrusted(l.reason, 300) }, { name: "Of the record", text: (l) => place(l.of) }],
  });
}

function searched(s) {
  const all = s.searched ?? [];
  return h("details", { key: "searched", class: "values" }, h("summary", null, `Where it was looked for: ${plural(all.length, "search", "searches")}, ${duration(s.ms)}`),
    h("ul", null, all.map((x, i) => h("li", { key: i }, `${x.topic} by ${x.how}: ${wholeText(x.records)} records read, ${wholeText(x.found)} found`, x.part ? [". ", untrusted(x.part, 300)] : ""))));
}

const notes = (s) => (s.notes ?? []).map((n, i) => h("p", { key: "note/" + i, class: "notice" }, untrusted(n, 400)));
