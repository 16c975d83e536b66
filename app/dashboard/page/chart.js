// Charts over uPlot: lines with bands, points with whiskers, bars. Each is a figure with a sentence
// that reads the values at the cursor, buttons to zoom, and the same figures as a table.
//
// Keys, when a chart has the focus: left and right move the cursor, Home and End go to the ends,
// + and - zoom, 0 shows all again.

import { h } from "./dom.js";
import { stamp, whole } from "./format.js";
import { settings } from "./settings.js";
import { table } from "./table.js";

// Lines differ by colour and by dashes.
const DASHES = [[], [8, 4], [2, 4], [10, 4, 2, 4]];

// chart describes a figure. spec:
//   key, title        tell it apart, and head it
//   note              a sentence below the title: what it shows, and what would be good
//   xs, x             values in ascending order; { title, time, step, log, text(value), labels };
//                     a line has a gap where points are further apart than step
//   lines             [{ name, ys, lows, highs, kind }]; kind "line", "points" or "bars"; lows and
//                     highs are drawn as a band around a line, and as whiskers at points
//   y                 { text(value), log, guide: { at, name }, diagonal, from }
//   more              [{ name, values, text }] further columns of the table
//   sync              charts of one name share their cursor
//   empty             what would have to happen for values to be there
export function chart(spec) {
  const head = [h("figcaption", null, h("h2", null, spec.title), spec.note && h("p", { class: "note" }, spec.note))];
  if (!spec.xs.length) return h("figure", { key: spec.key, class: "chart" }, head, h("p", { class: "empty" }, spec.empty));
  const id = "chart-" + spec.key.replace(/[^a-zA-Z0-9_-]/g, "-");
  return h("figure", { key: spec.key + "/full", class: "chart" }, head,
    h("div", {
      class: "plot", opaque: true, tabindex: 0, role: "application", "aria-roledescription": "chart",
      "aria-label": spec.title + ". Left and right arrow read the values; plus, minus and 0 zoom.", "aria-describedby": id,
      mount: (element) => { element.plot = new Plot(element, spec); },
      update: (element) => element.plot.show(spec),
      unmount: (element) => element.plot.destroy(),
    }),
    h("div", { class: "below" },
      h("output", { class: "reading", id, opaque: true, mount: (element) => { element.textContent = sentence(spec, lastKnown(spec)); } }),
      h("span", { class: "buttons" }, zoomButton("Zoom in", 0.5), zoomButton("Zoom out", 2), zoomButton("Show all", 0))),
    values(spec));
}

const zoomButton = (name, factor) =>
  h("button", { type: "button", onclick: (e) => e.currentTarget.closest("figure").querySelector(".plot").plot.zoom(factor) }, name);

// values is the table of a chart, newest first where the axis is time.
function values(spec) {
  const columns = [{ name: spec.x.title, text: (i) => spec.x.text(spec.xs[i], i) }];
  for (const line of spec.lines) {
    columns.push({ name: line.name, number: true, text: (i) => text(spec, line.ys[i]) });
    if (line.lows) columns.push({ name: line.name + ", 95% interval", number: true, text: (i) => ends(spec, line, i) });
  }
  for (const more of spec.more ?? []) columns.push({ name: more.name, number: true, text: (i) => more.text(more.values[i]) });
  const most = 200, order = spec.xs.map((_, i) => i);
  if (spec.x.time) order.reverse();
  const isOpen = opened.has(spec.key);
  return h("details", {
    class: "values", ontoggle: (e) => {
      e.currentTarget.open ? opened.add(spec.key) : opened.delete(spec.key);
      e.currentTarget.dispatchEvent(new Event("redraw", { bubbles: true }));
    },
  },
    h("summary", null, `Figures of “${spec.title}” as a table`),
    isOpen && table({ key: spec.key, label: spec.title, columns, rows: order.slice(0, most), keyOf: (i) => String(spec.xs[i]) }),
    isOpen && order.length > most && h("p", { class: "note" }, `The newest ${whole(most)} of ${whole(order.length)} points.`));
}

const opened = new Set(); // keys of charts whose table is open: only those are made

const text = (spec, value) => (value === null || value === undefined ? "none" : spec.y.text(value));
const ends = (spec, line, i) => (line.lows[i] === null || line.lows[i] === undefined ? "none" : `${spec.y.text(line.lows[i])} to ${spec.y.text(line.highs[i])}`);

// lastKnown is the last point that has a value: the one that is read at first.
const lastKnown = (spec) => Math.max(0, spec.xs.findLastIndex((_, i) => spec.lines.some((l) => l.ys[i] !== null)));

// sentence reads the values of one point.
function sentence(spec, i) {
  if (i === null || i === undefined || i < 0 || i >= spec.xs.length) return "";
  const parts = spec.lines.map((line) => {
    const named = (spec.lines.length > 1 ? line.name + " " : "") + text(spec, line.ys[i]);
    return line.lows && line.lows[i] !== null && line.lows[i] !== undefined ? `${named} (${ends(spec, line, i)})` : named;
  });
  for (const more of spec.more ?? []) parts.push(`${more.name.toLowerCase()} ${flat(more.text(more.values[i]))}`);
  return `${flat(spec.x.text(spec.xs[i], i))}: ${parts.join("; ")}`;
}

// flat is the text of what a format returns, which may be an element.
const flat = (part) => (Array.isArray(part) ? part.map(flat).join("") : part && part.tag ? part.children.map(flat).join("") : String(part));

// colour reads one of the page's colours as the theme has it now.
function colour(name) {
  const probe = document.getElementById("probe");
  probe.className = "ink-" + name;
  return getComputedStyle(probe).color;
}

// faint is a colour that lets through what lies behind it.
const faint = (rgb) => rgb.replace("rgb(", "rgba(").replace(")", ", 0.18)");

// Plot owns the uPlot of one figure.
class Plot {
  constructor(element, spec) {
    this.element = element;
    this.spec = spec;
    this.make();
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(element);
    element.onkeydown = (e) => this.key(e);
    element.onfocus = () => this.u.cursor.idx ?? this.move(lastKnown(this.spec));
  }

  shape() { return JSON.stringify([this.spec.lines.map((l) => [l.name, Boolean(l.lows), l.kind]), this.spec.y.log, this.spec.x.log, this.spec.sync]); }

  make() {
    this.made = this.shape();
    this.u = new uPlot(options(this), data(this.spec), this.element);
  }

  destroy() {
    this.sizes.disconnect();
    this.u.destroy();
  }

  resize() {
    const width = Math.floor(this.element.clientWidth);
    if (width > 0 && width !== this.u.width) this.u.setSize({ width, height: this.spec.height ?? 220 });
  }

  // show takes new values. A reader who has zoomed keeps the part that was chosen.
  show(spec) {
    if (spec === this.spec) return;
    const before = this.spec;
    this.spec = spec;
    if (this.made !== this.shape()) {
      this.u.destroy();
      this.make();
    } else if (!same(before, spec)) {
      const { min, max } = this.u.scales.x;
      this.u.setData(data(spec), !this.zoomed);
      if (this.zoomed) this.u.setScale("x", { min, max });
    } else return;
    if (this.u.cursor.idx === null || this.u.cursor.idx === undefined) this.say(sentence(spec, lastKnown(spec)));
  }

  // range is the part of the axis that zoom("all") shows.
  range() {
    const xs = this.spec.xs, pad = this.spec.x.pad ?? (xs.length > 1 ? 0 : this.spec.x.time ? 5 * (this.spec.x.step || 60) : 1);
    return [xs[0] - pad, xs[xs.length - 1] + pad];
  }

  // zoom shows half (0.5), twice (2) or all (0) of what is seen, around the cursor. Charts that share
  // their cursor zoom together.
  zoom(factor) {
    const [first, last] = this.range();
    const { min, max } = this.u.scales.x;
    const middle = this.u.cursor.idx != null ? this.spec.xs[this.u.cursor.idx] : (min + max) / 2;
    const half = Math.max((factor * (max - min)) / 2, (last - first) / 1e4);
    const all = factor === 0 || half * 2 >= last - first;
    for (const plot of this.group()) plot.part(all ? null : { min: Math.max(first, middle - half), max: Math.min(last, middle + half) });
  }

  group() {
    if (!this.spec.sync) return [this];
    return [...document.querySelectorAll(".plot")].map((e) => e.plot).filter((p) => p?.spec.sync === this.spec.sync);
  }

  // part shows a part of the axis, or all.
  part(range) {
    this.zoomed = Boolean(range);
    if (range) this.u.setScale("x", range);
    else this.u.setData(data(this.spec), true);
  }

  key(e) {
    const at = this.u.cursor.idx ?? this.spec.xs.length - 1, last = this.spec.xs.length - 1;
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last }[e.key];
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (to !== undefined) this.move(Math.min(last, Math.max(0, to)));
    else if (e.key === "+" || e.key === "=") this.zoom(0.5);
    else if (e.key === "-") this.zoom(2);
    else if (e.key === "0") this.zoom(0);
    else return;
    e.preventDefault();
  }

  // move puts the cursor on a point, and brings the point into view.
  move(i) {
    const x = this.spec.xs[i], { min, max } = this.u.scales.x;
    if (x < min || x > max) {
      const half = (max - min) / 2;
      this.u.setScale("x", { min: x - half, max: x + half });
    }
    this.u.setCursor({ left: this.u.valToPos(x, "x"), top: this.u.over.clientHeight / 2 });
    this.say(sentence(this.spec, i), true);
  }

  // say writes the reading; it is spoken only when keys moved the cursor.
  say(words, spoken = false) {
    const reading = this.element.parentElement?.querySelector(".reading");
    if (!reading) return;
    reading.setAttribute("aria-live", spoken ? "polite" : "off");
    if (reading.textContent !== words) reading.textContent = words;
  }
}

// same tells that two specs show the same values, so that nothing is drawn for nothing.
function same(a, b) {
  const equal = (x, y) => x === y || (x && y && x.length === y.length && x.every((v, i) => v === y[i]));
  return equal(a.xs, b.xs) && a.lines.every((l, i) => equal(l.ys, b.lines[i].ys) && equal(l.lows, b.lines[i].lows));
}

// data is what uPlot draws: x, then for each line its values and, with an interval, the two ends.
function data(spec) {
  const columns = [spec.xs];
  for (const line of spec.lines) {
    columns.push(line.ys);
    if (line.lows) columns.push(line.lows, line.highs);
  }
  return columns;
}

function options(plot) {
  const { spec } = plot;
  const series = [{}], bands = [];
  spec.lines.forEach((line, i) => {
    const ink = () => colour("line" + (i % 4)), at = series.length;
    series.push(drawn(line, ink, DASHES[i % 4], spec.x.step));
    if (!line.lows) return;
    const end = { stroke: () => "transparent", points: { show: false }, ...(spec.x.step && { gaps: gaps(spec.x.step) }), ...(line.kind === "points" && { paths: () => null }) };
    series.push(end, end);
    if (line.kind !== "points") bands.push({ series: [at + 2, at + 1], fill: () => faint(ink()) });
  });
  return {
    width: Math.max(200, Math.floor(plot.element.clientWidth)), height: spec.height ?? 220, series, bands,
    tzDate: (s) => (settings.utc ? uPlot.tzDate(new Date(s * 1000), "Etc/UTC") : new Date(s * 1000)),
    legend: { show: false }, axes: [axis(spec.x), axis(spec.y, 64)], scales: scales(plot),
    cursor: { sync: spec.sync ? { key: spec.sync } : undefined, drag: { x: true, y: false }, points: { size: 8 } },
    hooks: {
      draw: [(u) => guides(u, plot.spec), (u) => whiskers(u, plot.spec)],
      setCursor: [(u) => { if (u.cursor.idx != null && u.cursor.left >= 0) plot.say(sentence(plot.spec, u.cursor.idx)); }],
      setSelect: [(u) => { if (u.select.width > 0) plot.zoomed = true; }],
      ready: [(u) => u.over.addEventListener("dblclick", () => plot.zoom(0))],
    },
  };
}

// gaps leaves a line out where more than a step and a half lies between two points.
const gaps = (step) => (u, series, first, last, found) => {
  const xs = u.data[0], at = (i) => Math.round(u.valToPos(xs[i], "x", true));
  for (let i = first + 1; i <= last; i++) if (xs[i] - xs[i - 1] > 1.5 * step) uPlot.addGap(found, at(i - 1), at(i));
  return found.sort((a, b) => a[0] - b[0]);
};

function drawn(line, ink, dash, step) {
  if (line.kind === "bars") return { stroke: ink, fill: () => faint(ink()), width: 1, points: { show: false }, paths: uPlot.paths.bars({ size: [0.8, 60] }) };
  if (line.kind === "points") return { stroke: ink, paths: () => null, points: { show: true, size: 9, fill: ink } };
  return { stroke: ink, width: 2, dash, spanGaps: false, ...(step && { gaps: gaps(step) }) };
}

function axis(spec, size) {
  return {
    stroke: () => colour("muted"), grid: { stroke: () => colour("grid"), width: 1 }, ticks: { stroke: () => colour("grid"), width: 1 },
    font: "12px system-ui, sans-serif", size: size ?? (spec.time ? 50 : 34), space: size ? 30 : 70,
    splits: spec.labels ? (u, at, min, max) => labelled(u, spec.labels, min, max) : undefined,
    values: spec.labels ? (u, splits) => splits.map((i) => spec.labels[i] ?? "")
      : spec.time ? ticks : (u, splits) => splits.map((v) => (v === null ? "" : (spec.tick ?? spec.text)(v))),
  };
}

// labelled are the places of labels in view, as many as have room.
function labelled(u, labels, min, max) {
  const shown = labels.map((_, i) => i).filter((i) => i >= min && i <= max);
  const every = Math.max(1, Math.ceil((shown.length * 60 * devicePixelRatio) / Math.max(1, u.bbox.width)));
  return shown.filter((_, i) => i % every === 0);
}

// ticks name moments by 24 hours, and the day below the first and wherever it changes.
function ticks(u, splits, axis, space, step) {
  let before = "";
  return splits.map((s) => {
    const [date, hour] = stamp(new Date(s * 1000)), day = date.slice(5);
    const text = step >= 86_400 ? date : hour.slice(0, step < 60 ? 8 : 5);
    const isNew = step < 86_400 && day !== before;
    before = day;
    return isNew ? text + "\n" + day : text;
  });
}

// scales give a single point some room, keep guides in view, and take logarithms where asked.
function scales(plot) {
  const x = { time: Boolean(plot.spec.x.time), distr: plot.spec.x.log ? 3 : 1 };
  x.range = (u, min, max) => (plot.zoomed ? [min, max] : plot.range());
  const y = { distr: plot.spec.y.log ? 3 : 1 };
  if (!plot.spec.y.log) y.range = () => span(plot.spec);
  return { x, y };
}

// span is the range of the second axis: the values, what they are measured against, and most of the
// intervals, up to twice the values' own range around them. The interval of a window with one
// positive may be a hundred times as wide as that: it reaches over the edge, so that it does not
// press the values flat.
function span(spec) {
  const known = (v) => v !== null && v !== undefined && Number.isFinite(v);
  const rising = (all) => all.filter(known).sort((a, b) => a - b);
  const values = rising([...spec.lines.flatMap((l) => l.ys), spec.y.guide?.at, spec.y.from]);
  if (!values.length) return [0, 1];
  const lows = rising([values[0], ...spec.lines.flatMap((l) => l.lows ?? [])]);
  const highs = rising([values.at(-1), ...spec.lines.flatMap((l) => l.highs ?? [])]);
  const around = 2 * (values.at(-1) - values[0] || Math.abs(values[0]) || 1);
  const low = Math.max(values[0] - around, Math.min(values[0], lows[Math.floor(lows.length / 4)]));
  const high = Math.min(values.at(-1) + around, Math.max(values.at(-1), highs[Math.ceil((highs.length * 3) / 4) - 1]));
  const room = (high - low || Math.abs(high) || 1) / 2;
  const bottom = Math.max(lows[0], low - room), top = Math.min(highs.at(-1), high + room), margin = (top - bottom || room) * 0.06;
  return [spec.y.from !== undefined && bottom >= spec.y.from ? spec.y.from : bottom - margin, top + margin];
}

// guides draw what a value is measured against: a level, or the diagonal.
function guides(u, spec) {
  const { left, top, width, height } = u.bbox, { guide, diagonal } = spec.y;
  if (!guide && !diagonal) return;
  const ctx = u.ctx;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
  ctx.strokeStyle = colour("muted");
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath();
  if (guide) {
    const y = u.valToPos(guide.at, "y", true);
    ctx.moveTo(left, y);
    ctx.lineTo(left + width, y);
  }
  if (diagonal) {
    const { min, max } = u.scales.x;
    for (let i = 0; i <= 64; i++) {
      const v = spec.x.log ? min * (max / min) ** (i / 64) : min + ((max - min) * i) / 64;
      ctx.lineTo(u.valToPos(v, "x", true), u.valToPos(v, "y", true));
    }
  }
  ctx.stroke();
  ctx.restore();
}

// whiskers draw the interval of each point.
function whiskers(u, spec) {
  const ctx = u.ctx, cap = 4 * devicePixelRatio;
  ctx.save();
  ctx.lineWidth = 1.5 * devicePixelRatio;
  spec.lines.forEach((line, n) => {
    if (line.kind !== "points" || !line.lows) return;
    ctx.strokeStyle = colour("line" + (n % 4));
    ctx.beginPath();
    spec.xs.forEach((value, i) => {
      if (line.lows[i] === null || line.lows[i] === undefined) return;
      const x = u.valToPos(value, "x", true);
      if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) return;
      const floor = u.bbox.top + u.bbox.height;
      const low = Math.min(floor, u.valToPos(line.lows[i] > 0 || !spec.y.log ? line.lows[i] : u.scales.y.min, "y", true));
      const high = Math.max(u.bbox.top, u.valToPos(line.highs[i], "y", true));
      ctx.moveTo(x, low);
      ctx.lineTo(x, high);
      for (const y of [low, high]) { ctx.moveTo(x - cap, y); ctx.lineTo(x + cap, y); }
    });
    ctx.stroke();
  });
  ctx.restore();
}

// redrawCharts draws every chart in the colours of the theme that now holds.
export function redrawCharts() {
  for (const element of document.querySelectorAll(".plot")) element.plot?.u.redraw(false, true);
}
