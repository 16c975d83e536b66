// The loop: its picture with live figures, and every figure of it in tables.

import { h, untrusted } from "./dom.js";
import { digits, duration, none, plural, rate, time, whole } from "./format.js";
import { MEASURES, judgement, measured, newest } from "./evaluations.js";
import { WORDS, isOld, nameOf, status, worst } from "./hops.js";
import { picture } from "./picture.js";
import { address } from "./selection.js";
import { table } from "./table.js";

export const view = { hash: "loop", name: "Loop", title: "The loop", draw };

function draw(state, page) {
  const hops = (state.consumers ?? []).map((c) => ({ ...c, status: status(state, c), topicInfo: topicOf(state, c.topic) }));
  return [
    h("p", { class: "lead" }, summary(state, hops)),
    (state.objectives ?? []).map((o) => tile(state, o)),
    h("section", { "aria-labelledby": "pictureTitle" }, h("h2", { id: "pictureTitle" }, "What flows where"),
      picture(state, hops, page), h("p", { class: "note" }, "A reader is slow when it is more than 5 s behind, stopped when it is behind and has read nothing for 10 s. Feedback stays behind by its window of labels on purpose.")),
    h("section", { "aria-labelledby": "hopsTitle" }, h("h2", { id: "hopsTitle" }, "Readers of topics"), readers(hops)),
    h("section", { "aria-labelledby": "topicsTitle" }, h("h2", { id: "topicsTitle" }, "Topics"), topics(state, page)),
    h("section", { "aria-labelledby": "modelsTitle" }, h("h2", { id: "modelsTitle" }, "Weights"), models(state)),
    h("section", { "aria-labelledby": "latencyTitle" }, h("h2", { id: "latencyTitle" }, "Latency in this process"), latencies(state)),
    h("p", { class: "note" }, "clickloop ", state.version && [untrusted(state.version), ","], " started ", time(state.started), ". ", plural(state.watching ?? 1, "page"), " watching."),
  ];
}

const topicOf = (state, name) => (state.topics ?? []).find((t) => t.topic === name);

// summary is the whole picture in one sentence.
function summary(state, hops) {
  if (!hops.length) return "No stage has read anything yet. Send an event or a score request, or start with --replay.";
  const bad = hops.filter((c) => c.status.kind === "stopped" || c.status.kind === "slow");
  const kind = worst(hops.map((c) => c.status.kind));
  if (isOld(state)) return [h("span", { class: "word unknown" }, WORDS.unknown), " The topics cannot be read: these are the figures of ", time(state.read), "."];
  if (!bad.length) return [h("span", { class: "word " + kind }, WORDS[kind]), kind === "ok" ? " All readers keep up." : " Some readers have not begun; the others keep up."];
  return [h("span", { class: "word " + kind }, WORDS[kind]), " ", bad.map((c) => `${c.stage} on ${c.topic}: ${c.status.why}`).join("; ") + "."];
}

function tile(state, o) {
  const all = newest(state, o.name, "all"), last = newest(state, o.name, "1m");
  const e = all ?? last, verdict = judgement(e);
  return h("section", { key: "tile/" + o.name, class: "tile", "aria-label": "Objective " + o.name },
    h("h2", null, h("a", { href: address("quality", { objective: o.name }) }, o.name), h("small", null, ` ${o.positive} after ${o.trigger}, within ${duration(o.window_ms)}`)),
    e ? h("dl", null,
      MEASURES.map((m) => h("div", { key: m.key }, h("dt", null, m.name), h("dd", { "data-figure": `${o.name}/all/${m.key}` }, measured(e, m),
        m.key === "predicted_over_actual" && [" ", h("span", { class: "word " + verdict.kind }, verdict.words)]))),
      h("div", { key: "examples" }, h("dt", null, "Examples since the start"), h("dd", null, h("span", { "data-figure": `${o.name}/all/examples` }, whole(e.examples)), `, ${wholeText(e.positives)} positive`)))
      : h("p", { class: "empty" }, `No example yet. Each is made when the ${duration(o.window_ms)} after its ${o.trigger} have passed, with or without its ${o.positive}.`));
}

const wholeText = (n) => (typeof n === "number" ? n.toLocaleString("en") : "none");

function readers(hops) {
  return table({
    key: "readers", label: "Readers of topics", rows: hops, keyOf: nameOf,
    empty: "No consumer group has committed an offset. Stages do so with their first records.",
    columns: [
      { name: "Stage", text: (c) => [c.stage, c.network ? ` (${c.network})` : ""] },
      { name: "Reads", text: (c) => c.topic },
      { name: "State", text: (c) => [h("span", { class: "word " + c.status.kind }, WORDS[c.status.kind]), " " + c.status.why] },
      { name: "Behind", number: true, text: (c) => (typeof c.behind === "number" ? plural(c.behind, "record") : none()) },
      { name: "Behind in time", number: true, text: (c) => (typeof c.behind_seconds === "number" ? duration(c.behind_seconds * 1000) : none()) },
      { name: "Group", text: (c) => untrusted(c.group) },
    ],
  });
}

function topics(state, page) {
  return table({
    key: "topics", label: "Topics", rows: state.topics ?? [], keyOf: (t) => t.topic,
    empty: "No topic could be read yet.",
    columns: [
      { name: "Topic", text: (t) => t.topic },
      { name: "Records", number: true, text: (t) => h("span", { "data-figure": "records/" + t.topic }, whole(t.records)) },
      { name: "Kept", number: true, text: (t) => whole(t.kept ?? t.records), help: "Records that retention has left" },
      { name: "Rate", number: true, text: (t) => rate(t.per_second) },
      { name: "Newest written", text: (t) => time(t.newest) },
      { name: "Time in it", text: (t) => time(t.event_time, { recorded: page.recorded }) },
      { name: "Partitions", number: true, text: (t) => whole(t.partitions) },
    ],
  });
}

function models(state) {
  return table({
    key: "models", label: "Weights of each network", rows: state.models ?? [], keyOf: (m) => m.objective + "/" + m.network,
    empty: "No weights are published. The learner publishes the first with the first examples.",
    columns: [
      { name: "Objective", text: (m) => m.objective },
      { name: "Network", text: (m) => m.network || "default" },
      { name: "Newest", text: (m) => (m.version ? untrusted(m.version) : none()) },
      { name: "Served", text: (m) => (m.served ? untrusted(m.served) : h("span", { class: "none" }, "not served")) },
      { name: "Age", number: true, text: (m) => duration(m.age_ms), help: "Since the newest weights were published" },
      { name: "Examples not yet learned", number: true, text: (m) => whole(m.behind_examples) },
    ],
  });
}

function latencies(state) {
  return table({
    key: "latency", label: "Latency", rows: state.latency ?? [], keyOf: (l) => l.stage + "/" + l.name,
    empty: "No call was measured in the last seconds.",
    columns: [
      { name: "Stage", text: (l) => l.stage },
      { name: "Of", text: (l) => l.name },
      { name: "Rate", number: true, text: (l) => rate(l.per_second) },
      { name: "Half within", number: true, text: (l) => duration(l.p50_ms) },
      { name: "99 of 100 within", number: true, text: (l) => duration(l.p99_ms) },
    ],
  });
}
