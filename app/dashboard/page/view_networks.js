// Networks compared on the same examples, by a test that one may watch as long as one likes.

import { h } from "./dom.js";
import { span } from "./bar.js";
import { chart } from "./chart.js";
import { clock, digits, time, whole } from "./format.js";
import { moment, plain, series, seriesProblem } from "./evaluations.js";
import { selection, selectors } from "./selection.js";
import { table } from "./table.js";

export const view = { hash: "networks", name: "Networks", title: "Networks compared", draw };

const name = (network) => network || "default";

function draw(state, page) {
  const sel = selection(state, page);
  const rows = (state.networks ?? []).filter((e) => e.objective === sel.objective);
  const networks = sel.known?.networks ?? [];
  return [
    selectors(state, page, sel, ["objective"]),
    h("p", { class: "note" }, "The difference is the log loss of the second network less that of the first, over the same examples: above 0, the first is better. Its interval holds at all times at once, so it stays valid however often one looks."),
    table(comparisons(rows, networks, page)),
    networks.length > 1 && lossChart(networks, sel, page),
  ];
}

function comparisons(rows, networks, page) {
  const range = Math.max(...rows.flatMap((e) => [e.difference, ...(e.difference_interval ?? [])]).map(Math.abs).filter(Number.isFinite), 1e-9);
  return {
    key: "networks", label: "Comparisons", rows, keyOf: (e) => name(e.network) + "/" + name(e.versus),
    empty: networks.length > 1 ? "No comparison yet. It comes when both networks have learned the same examples." : "This objective has one network. The setting objectives[].networks adds others of the section networks, which learn the same examples and are compared here.",
    columns: [
      { name: "First", text: (e) => name(e.network) }, { name: "Second", text: (e) => name(e.versus) },
      { name: "Verdict", text: verdict },
      { name: "Difference in log loss", number: true, text: (e) => difference(e) },
      { name: "Second better | first better", text: (e) => span(e.difference, e.difference_interval, range) },
      { name: "Examples", number: true, text: (e) => whole(e.examples) },
      { name: "As of", text: (e) => time(e.end, { recorded: page.recorded }) },
    ],
  };
}

function verdict(e) {
  if (e.better === "network") return h("span", { class: "word ok" }, `✓ ${name(e.network)} is better`);
  if (e.better === "versus") return h("span", { class: "word ok" }, `✓ ${name(e.versus)} is better`);
  return h("span", { class: "word waits" }, "◌ undecided yet");
}

const difference = (e) => [digits(e.difference, 5), e.difference_interval && h("span", { class: "ends" }, ` (${digits(e.difference_interval[0], 5)} to ${digits(e.difference_interval[1], 5)})`)];

// lossChart draws the blocks of up to four networks on one axis.
function lossChart(networks, sel, page) {
  const shown = networks.slice(0, 4);
  const all = shown.map((network) => series(page, { objective: sel.objective, window: "block", network }));
  const xs = [...new Set(all.flatMap((s) => s.points.map(moment)))].sort((a, b) => a - b);
  const lines = all.map((s, i) => {
    const at = new Map(s.points.map((e) => [moment(e), e.log_loss ?? null]));
    return { name: shown[i], ys: xs.map((x) => at.get(x) ?? null) };
  });
  return [
    all.map(seriesProblem).find(Boolean),
    chart({
      key: "blocks/" + sel.objective, title: "Log loss of each network by block", height: 260,
      note: "Blocks of examples that follow one another. " + shown.map((n, i) => `${n}: ${["solid", "dashed", "dotted", "dash and dot"][i]}`).join("; ") + "." + (networks.length > 4 ? ` The first 4 of ${networks.length} networks.` : ""),
      xs, lines, x: { title: page.recorded ? "Time (recorded)" : "Time", time: true, text: (s) => clock(new Date(s * 1000)) }, y: { text: plain(4) },
      empty: "No block yet. The learner writes the first after some hundred examples.",
    }),
  ];
}
