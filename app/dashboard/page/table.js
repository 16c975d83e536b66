// Tables whose rows stay where they are. A reader sorts by a column; while figures change, rows keep
// their places, new ones come to the end, and "Sort again" puts them in order.

import { h } from "./dom.js";
import { none } from "./format.js";

const sorted = new Map(); // by table: { column, down, order: keys as they were sorted }

// table describes one. spec: key, label (read by screen readers), rows, keyOf(row), and columns:
// [{ name, text(row), number, sort(row), down, help }]; a column with sort can be sorted by. sortBy
// names the first order; without it rows stay as they are given.
export function table(spec) {
  const state = order(spec);
  const rows = state ? arranged(spec, state) : spec.rows;
  return h("div", { class: "tableBox", key: "table/" + spec.key, role: "group", "aria-label": spec.label, tabindex: 0 },
    h("table", null,
      h("caption", { class: "unseen" }, spec.label),
      h("thead", null, h("tr", null, spec.columns.map((c) => heading(spec, state, c)))),
      h("tbody", null, rows.map((row) => h("tr", { key: spec.keyOf(row), class: spec.classOf?.(row) },
        spec.columns.map((c, i) => cell(c, row, i === 0)))))),
    rows.length === 0 && h("p", { class: "empty" }, spec.empty ?? none()));
}

function cell(column, row, first) {
  const attributes = { class: column.number ? "number" : column.wide ? "wide" : null, "data-name": column.name };
  return first ? h("th", { ...attributes, scope: "row" }, column.text(row)) : h("td", attributes, column.text(row));
}

function heading(spec, state, column) {
  const attributes = { scope: "col", class: column.number ? "number" : null, title: column.help };
  if (!column.sort) return h("th", attributes, column.name);
  const active = state?.column === column.name;
  const arrow = active ? (state.down ? " ▼" : " ▲") : "";
  return h("th", { ...attributes, "aria-sort": active ? (state.down ? "descending" : "ascending") : null },
    h("button", { type: "button", class: "sort", onclick: (e) => sortBy(spec, column, e) }, column.name, h("span", { "aria-hidden": "true" }, arrow)));
}

function order(spec) {
  if (!sorted.has(spec.key) && spec.sortBy) {
    const column = spec.columns.find((c) => c.name === spec.sortBy);
    sorted.set(spec.key, { column: spec.sortBy, down: column.down ?? true, order: null });
  }
  return sorted.get(spec.key);
}

function sortBy(spec, column, e, fixed) {
  const state = sorted.get(spec.key);
  const down = fixed ?? (state?.column === column.name ? !state.down : (column.down ?? Boolean(column.number)));
  sorted.set(spec.key, { column: column.name, down, order: null });
  e.currentTarget.dispatchEvent(new Event("redraw", { bubbles: true }));
}

// arranged gives rows the places that their keys had when they were sorted.
function arranged(spec, state) {
  if (!state.order || state.order.length === 0) state.order = inOrder(spec, state).map(spec.keyOf);
  const shown = new Set(spec.rows.map(spec.keyOf));
  if (state.order.length > 2 * shown.size + 100) state.order = state.order.filter((key) => shown.has(key));
  const place = new Map(state.order.map((key, i) => [key, i]));
  for (const row of spec.rows) {
    const key = spec.keyOf(row);
    if (!place.has(key)) { place.set(key, place.size); state.order.push(key); }
  }
  return [...spec.rows].sort((a, b) => place.get(spec.keyOf(a)) - place.get(spec.keyOf(b)));
}

function inOrder(spec, state) {
  const value = spec.columns.find((c) => c.name === state.column)?.sort ?? (() => 0);
  const sign = state.down ? -1 : 1;
  return [...spec.rows].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === null || x === undefined) return y === null || y === undefined ? 0 : 1;
    if (y === null || y === undefined) return -1;
    return sign * (typeof x === "string" || typeof y === "string" ? String(x).localeCompare(String(y)) : x - y);
  });
}

// isDisordered tells that values have changed so that the rows are no longer in the chosen order.
function isDisordered(spec) {
  const state = order(spec);
  if (!state?.order) return false;
  const wanted = inOrder(spec, state), shown = arranged(spec, state);
  return wanted.some((row, i) => row !== shown[i]);
}

// sortAgain is the button that puts the rows of a table in order, where they are not.
export function sortAgain(spec) {
  return h("button", {
    type: "button", disabled: !isDisordered(spec),
    onclick: (e) => { sorted.get(spec.key).order = null; e.currentTarget.dispatchEvent(new Event("redraw", { bubbles: true })); },
  }, "Sort again");
}

// sortButton puts the rows in the order of a column, the largest first.
export function sortButton(spec, text, name) {
  const state = order(spec);
  return h("button", {
    type: "button", "aria-pressed": String(state?.column === name && state.down),
    onclick: (e) => sortBy(spec, spec.columns.find((c) => c.name === name), e, true),
  }, text);
}
