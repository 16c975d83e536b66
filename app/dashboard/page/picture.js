// The loop as a picture: stages as boxes, topics as arrows with their figures. It is drawn wide, or
// high on a narrow screen. Tables below it have the same figures for those who do not see it.

import { h, visible } from "./dom.js";
import { duration, rate, whole } from "./format.js";
import { WORDS, isOld, worst } from "./hops.js";

const WIDE = {
  width: 1100, height: 470, box: [240, 104],
  boxes: { sources: [20, 66], ingest: [430, 66], scorer: [840, 66], feedback: [840, 306], learner: [430, 306] },
  arrows: {
    events: { path: "M260 118H424", label: [342, 60], anchor: "middle" },
    profiles: { path: "M670 118H834", label: [752, 92], anchor: "middle" },
    requests: { path: "M140 66V22H960V60", label: [550, 15], anchor: "middle", flat: 3 },
    predictions: { path: "M1050 170V300", label: [1040, 206], anchor: "end" },
    examples: { path: "M840 358H676", label: [758, 300], anchor: "middle" },
    model: { path: "M550 306V238H880V176", label: [562, 200], anchor: "start" },
    outcomes: { path: "M140 170V448H960V416", label: [550, 440], anchor: "middle", flat: 3 },
  },
};

const HIGH = {
  width: 350, height: 1010, box: [230, 104],
  boxes: { sources: [60, 30], ingest: [60, 234], scorer: [60, 410], feedback: [60, 614], learner: [60, 818] },
  arrows: {
    events: { path: "M175 134V228", label: [185, 152], anchor: "start" },
    profiles: { path: "M175 338V404", label: [185, 376], anchor: "start" },
    requests: { path: "M60 60H40V462H54", label: [62, 22], anchor: "start", flat: 2 },
    predictions: { path: "M175 514V608", label: [185, 532], anchor: "start" },
    examples: { path: "M175 718V812", label: [185, 736], anchor: "start" },
    model: { path: "M290 870H322V462H296", label: [300, 944], anchor: "end" },
    outcomes: { path: "M60 104H18V666H54", label: [0, 0], anchor: "start", hidden: true },
  },
};

export function picture(state, hops, page) {
  const plan = matchMedia("(max-width: 760px)").matches ? HIGH : WIDE;
  const flows = flowsOf(state, hops), stages = stagesOf(state, hops);
  const said = Object.entries(stages).map(([name, s]) => `${name} ${s.kind ? WORDS[s.kind].slice(2) : ""}`).join(", ");
  return h("svg", { key: plan === WIDE ? "wide" : "high", class: "picture", viewBox: `0 0 ${plan.width} ${plan.height}`, role: "img", "aria-label": `The loop: ${said}. The tables below have all figures.` },
    h("defs", null, ["ok", "slow", "stopped", "waits", "unknown"].map((k) => h("marker", { id: "tip-" + k, viewBox: "0 0 8 8", refX: 5, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto-start-reverse" }, h("path", { d: "M0 0L8 4L0 8z", class: "tip " + k })))),
    Object.entries(plan.arrows).map(([name, a]) => arrow(name, a, flows[name])),
    Object.entries(plan.boxes).map(([name, at]) => box(name, at, plan.box, stages[name])));
}

function arrow(name, plan, flow) {
  const [x, y] = plan.label, lines = plan.flat ? [flow.lines.slice(0, plan.flat).join(" · ")] : flow.lines;
  return h("g", { key: "arrow/" + name, class: "arrow " + flow.kind },
    h("path", { d: plan.path, "marker-end": `url(#tip-${flow.kind})` }),
    !plan.hidden && lines.map((line, i) => h("text", { key: i, x, y: y + 16 * i, "text-anchor": plan.anchor, class: i === 0 ? "name" : "figure" }, short(line, 60))));
}

function box(name, [x, y], [width, height], stage) {
  return h("g", { key: "box/" + name, class: "box " + (stage.kind ?? "none") },
    h("rect", { x, y, width, height, rx: 8 }),
    h("text", { x: x + 14, y: y + 26, class: "name" }, stage.title),
    stage.kind && h("text", { x: x + width - 14, y: y + 26, "text-anchor": "end", class: "state" }, WORDS[stage.kind]),
    stage.lines.slice(0, 3).map((line, i) => h("text", { key: i, x: x + 14, y: y + 50 + 19 * i, class: "figure" }, short(line, 34))));
}

const short = (text, most) => { const t = visible(String(text)); return t.length > most ? t.slice(0, most - 1) + "…" : t; };
const per = (n) => (typeof n === "number" ? rate(n) : "rate not known yet");
const lag = (hop) => (typeof hop.behind !== "number" ? "not begun" : hop.behind <= 0 ? "nothing behind"
  : whole(hop.behind) + " behind" + (typeof hop.behind_seconds === "number" ? ", " + duration(hop.behind_seconds * 1000) : ""));

// flowsOf are the arrows: what each carries, how fast, how fresh.
function flowsOf(state, hops) {
  const topic = (name) => (state.topics ?? []).filter((t) => t.topic === name || t.topic.startsWith(name + "."));
  const kind = (stage, name) => worst(hops.filter((c) => c.stage === stage && (c.topic === name || c.topic.startsWith(name + "."))).map((c) => c.status.kind));
  const flow = (name, title, stage) => {
    const all = topic(name), rates = all.map((t) => t.per_second).filter((r) => typeof r === "number");
    const ages = all.map((t) => ageMs(state, t)).filter(Number.isFinite);
    return {
      kind: stage ? kind(stage, name) : isOld(state) ? "unknown" : all.length ? "ok" : "waits",
      lines: [title, per(rates.length ? rates.reduce((a, b) => a + b, 0) : undefined), ages.length ? `newest ${duration(Math.min(...ages))} ago` : "none yet"],
    };
  };
  const score = busiest(state, "scorer", "bidder");
  return {
    events: flow("events", "events", "ingest"),
    outcomes: { ...flow("events", "outcomes, among the events", "feedback"), lines: ["events: impressions, clicks, conversions"] },
    predictions: flow("predictions", "predictions", "feedback"),
    examples: flow("examples", "examples", "learner"),
    model: flow("model", "weights"),
    profiles: { kind: kind("ingest", "events"), lines: ["profiles"] },
    requests: { kind: score ? "ok" : "waits", lines: [score?.stage === "bidder" ? "bid requests" : "score requests", score ? per(score.per_second) : "none in the last seconds", score && `99 of 100 within ${duration(score.p99_ms)}`].filter(Boolean) },
  };
}

// ageMs is how long ago the newest record was written, by the server's clock.
function ageMs(state, t) {
  return Math.max(0, Date.parse(state.now) - Date.parse(t.newest));
}

// busiest are the calls of some stages that came most often in the last seconds.
const busiest = (state, ...stages) => (state.latency ?? []).filter((l) => stages.includes(l.stage) && l.per_second > 0).sort((a, b) => b.per_second - a.per_second)[0];

// stagesOf are the boxes: title, state and up to three lines.
function stagesOf(state, hops) {
  const of = (stage) => hops.filter((c) => c.stage === stage);
  const stage = (name, title, lines) => ({ title, kind: worst(of(name).map((c) => c.status.kind)), lines });
  const scored = busiest(state, "scorer");
  const predictions = (state.topics ?? []).find((t) => t.topic === "predictions");
  return {
    sources: { title: "Sites, apps, exchanges", lines: ["send events", "ask for scores"] },
    ingest: stage("ingest", "Ingest", ["keeps profiles up to date", ...of("ingest").map(lag)]),
    scorer: { title: "Scorer", kind: isOld(state) ? "unknown" : predictions?.records ? "ok" : "waits", lines: ["answers and logs predictions", scored ? `half within ${duration(scored.p50_ms)}` : "", ...(state.models ?? []).filter((m) => m.served).map((m) => "serves " + m.served)].filter(Boolean) },
    feedback: stage("feedback", "Feedback", ["makes examples of outcomes", ...of("feedback").map((c) => `${c.topic}: ${lag({ behind: c.behind })}`)]),
    learner: stage("learner", "Learner", [...(state.models ?? []).slice(0, 2).map((m) => m.version ?? "no weights yet"), ...of("learner").slice(0, 1).map(lag)]),
  };
}
