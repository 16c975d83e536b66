// Health: guard, dead letters by reason, features that drift, and what this page could not read.

import { h, untrusted } from "./dom.js";
import { bar } from "./bar.js";
import { digits, percent, plural, time, whole } from "./format.js";
import { sortAgain, table } from "./table.js";

export const view = { hash: "health", name: "Health", title: "Health", draw };

function draw(state, page) {
  return [
    section("guard", "Guard", guards(state, page)),
    section("letters", "Dead letters by reason", letters(state)),
    section("drift", "Features that drift", drift(state)),
    section("problems", "What could not be read", problems(state)),
  ];
}

const section = (key, title, content) => h("section", { key, "aria-labelledby": "h-" + key }, h("h2", { id: "h-" + key }, title), content);

function guards(state, page) {
  return [
    h("p", { class: "note" }, "The guard compares predictions with labels before they are learned. When predicted over actual leaves its band, it tells so; where it holds, labels wait until it is content again or somebody releases them."),
    table({
      key: "guards", label: "Guards", rows: state.guards ?? [], keyOf: (g) => g.objective,
      empty: "No guard has judged anything yet. It judges feedback.guard.min_examples predictions together, 2,000 by default.",
      columns: [
        { name: "Objective", text: (g) => g.objective },
        { name: "State", text: (g) => (g.held ? h("span", { class: "word stopped" }, "■ holds labels") : g.alarm ? h("span", { class: "word slow" }, "▲ alarm") : h("span", { class: "word ok" }, "● content")) },
        { name: "What it found", wide: true, text: (g) => (g.alarm ? untrusted(g.alarm, 300) : "nothing") },
        { name: "Time", text: (g) => time(g.time, { recorded: page.recorded }) },
      ],
    }),
  ];
}

function letters(state) {
  const all = state.deadletters ?? {}, reasons = all.reasons ?? [], most = Math.max(...reasons.map((r) => r.count), 1);
  const spec = {
    key: "letters", label: "Dead letters by reason", rows: reasons, keyOf: (r) => r.stage + "/" + r.reason, sortBy: "Records",
    empty: "No record was given up. One comes here when it can never be handled, such as an event whose time is not RFC 3339.",
    columns: [
      { name: "Reason", wide: true, sort: (r) => r.reason, down: false, text: (r) => untrusted(r.reason, 200) },
      { name: "Stage", sort: (r) => r.stage, down: false, text: (r) => untrusted(r.stage, 40) },
      { name: "Records", number: true, sort: (r) => r.count, down: true, text: (r) => whole(r.count) },
      { name: "Drawn", text: (r) => bar(r.count / most) },
      { name: "Newest", sort: (r) => r.newest, down: true, text: (r) => time(r.newest) },
      { name: "Newest stands at", text: (r) => [untrusted(r.topic ?? "", 60), `, partition ${r.partition}, offset ${(r.offset ?? 0).toLocaleString("en")}`] },
    ],
  };
  return [
    reasons.length > 0 && h("p", null, plural(all.total ?? 0, "record"), " in the dead letters. They are kept, and nothing waits for them. ", sortAgain(spec)),
    table(spec),
    all.others > 0 && h("p", { class: "note" }, `${plural(all.others, "record")} more with other reasons: clickloop tail deadletter shows them.`),
  ];
}

// shift says in words how far a feature's values have moved.
function shift(d) {
  if (d.psi <= (d.psi_limit ?? 0.1)) return h("span", { class: "word ok" }, "● steady");
  if (d.psi > 0.25) return h("span", { class: "word bad" }, "■ moved far");
  return h("span", { class: "word slow" }, "▲ moved");
}

function drift(state) {
  const spec = {
    key: "drift", label: "Drift of features", rows: state.drift ?? [], keyOf: (d) => d.objective + "/" + d.feature, sortBy: "PSI",
    empty: "Not told yet. Features are compared when enough examples have come for two samples.",
    columns: [
      { name: "Feature", wide: true, sort: (d) => d.feature, down: false, text: (d) => untrusted(d.feature) },
      { name: "Objective", sort: (d) => d.objective, down: false, text: (d) => d.objective },
      { name: "Values", text: shift },
      { name: "PSI", number: true, sort: (d) => d.psi, down: true, text: (d) => digits(d.psi, 3) },
      { name: "By chance up to", number: true, text: (d) => digits(d.psi_limit, 3), help: "What two samples of one distribution exceed once in a hundred times" },
      { name: "Missing now", number: true, sort: (d) => d.missing, down: true, text: (d) => [percent(d.missing), d.missing - d.missing_before > 0.05 ? h("span", { class: "word slow" }, " ▲ more") : ""] },
      { name: "Missing before", number: true, text: (d) => percent(d.missing_before) },
      { name: "Examples", number: true, text: (d) => whole(d.examples) },
    ],
  };
  return [
    h("p", { class: "note" }, "The newest examples against those before, by the population stability index (PSI). A feature has moved when its PSI is above what two samples of one distribution exceed once in a hundred times, and far when it is above 0.25, too."),
    spec.rows.length > 0 && h("p", null, sortAgain(spec)), table(spec),
  ];
}

function problems(state) {
  const all = state.problems ?? [], malformed = Object.entries(state.malformed ?? {});
  if (!all.length && !malformed.length) return h("p", { class: "empty" }, "All topics could be read.");
  return h("ul", null, all.map((p, i) => h("li", { key: i }, untrusted(p, 400))),
    malformed.map(([topic, n]) => h("li", { key: "malformed/" + topic }, `${topic}: ${plural(n, "record")} passed over, not of its schema.`)));
}
