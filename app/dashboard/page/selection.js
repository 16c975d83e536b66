// What a reader looks at: objective, window, segment, network. It stands in the address, so a view
// can be sent to a colleague, and it goes along from view to view.

import { h, visible } from "./dom.js";
import { WINDOWS, segmentText } from "./evaluations.js";

const chosen = {};

// selection reads the address over what was chosen before. What the state does not offer is dropped.
// unchosen is the window that a view shows until one is chosen; without it, the shortest with figures.
export function selection(state, page, unchosen) {
  for (const [name, value] of new URLSearchParams(page.argument)) chosen[name] = value;
  const objectives = (state.objectives ?? []).map((o) => o.name);
  const objective = objectives.includes(chosen.objective) ? chosen.objective : objectives[0] ?? "";
  const known = state.objectives?.find((o) => o.name === objective);
  return {
    objective, known,
    window: WINDOWS.some(([w]) => w === chosen.window) ? chosen.window : unchosen ?? firstWindow(state, objective),
    segment: chosen.segment ?? "",
    network: (known?.networks ?? []).includes(chosen.network) ? chosen.network : "",
  };
}

// firstWindow is the shortest window with figures: a series of minutes where there are any.
function firstWindow(state, objective) {
  return (WINDOWS.find(([w]) => (state.evaluations ?? []).some((e) => e.objective === objective && e.window === w)) ?? ["1m"])[0];
}

// address is the hash of a view with a selection.
export const address = (hash, parts) => "#" + hash + "=" + encodeURIComponent(new URLSearchParams(Object.entries(parts).filter(([, v]) => v)).toString());

// choose changes a part, without a new entry in the browser's history.
function choose(page, name, value) {
  chosen[name] = value;
  if (name === "objective") { chosen.segment = ""; chosen.network = ""; }
  history.replaceState(null, "", address(page.view.hash, chosen));
  page.route();
  page.redraw();
}

// selectors are the controls of a view; which names those that it has.
export function selectors(state, page, sel, which) {
  const parts = {
    objective: () => select(page, "objective", "Objective", (state.objectives ?? []).map((o) => [o.name, o.name]), sel.objective),
    window: () => select(page, "window", "Window", WINDOWS, sel.window),
    segment: () => select(page, "segment", "Segment", [["", "all examples"], ...segmentsOf(state, sel)], sel.segment),
    network: () => (sel.known?.networks ?? []).length > 1 && select(page, "network", "Network", [["", "as served"], ...sel.known.networks.map((n) => [n, n])], sel.network),
  };
  return h("form", { class: "selectors", "aria-label": "What is shown", onsubmit: (e) => e.preventDefault() }, which.map((name) => parts[name]()));
}

function segmentsOf(state, sel) {
  const names = new Set((state.evaluations ?? []).filter((e) => e.objective === sel.objective && e.segment).map(segmentText));
  names.delete("");
  if (sel.segment) names.add(sel.segment);
  return [...names].sort().map((n) => [n, visible(n).slice(0, 80)]);
}

function select(page, name, label, options, value) {
  return h("label", { key: name }, label + " ",
    h("select", { value, onchange: (e) => choose(page, name, e.currentTarget.value) },
      options.map(([v, text]) => h("option", { key: v, value: v, selected: v === value }, text))));
}
