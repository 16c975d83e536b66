// Small bars and intervals inside tables. The figure beside each says the same in text.

import { h } from "./dom.js";

const WIDTH = 120, HEIGHT = 14;

// bar is a share of 0 to 1; signed, one of -1 to 1 from the middle.
export function bar(share, signed = false) {
  const s = Math.max(-1, Math.min(1, share || 0));
  const middle = signed ? WIDTH / 2 : 0, length = Math.abs(s) * (signed ? WIDTH / 2 : WIDTH);
  return h("svg", { class: "bar", width: WIDTH, height: HEIGHT, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" },
    h("rect", { class: "track", x: 0, y: 0, width: WIDTH, height: HEIGHT, rx: 2 }),
    h("rect", { class: s < 0 ? "minus" : "plus", x: s < 0 ? middle - length : middle, y: 2, width: length, height: HEIGHT - 4 }));
}

// parts is a bar of shares of 1, one behind the other.
export function parts(...shares) {
  let at = 0;
  return h("svg", { class: "bar", width: WIDTH, height: HEIGHT, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" },
    h("rect", { class: "track", x: 0, y: 0, width: WIDTH, height: HEIGHT, rx: 2 }),
    shares.map((share, i) => {
      const width = Math.max(0, Math.min(1 - at, share || 0)) * WIDTH, x = at * WIDTH;
      at += width / WIDTH;
      return h("rect", { key: i, class: "part" + i, x, y: 2, width, height: HEIGHT - 4 });
    }));
}

// span is an interval with its value, and where 0 is; range is the largest distance from 0.
export function span(value, ends, range) {
  const x = (v) => WIDTH / 2 + Math.max(-1, Math.min(1, v / range)) * (WIDTH / 2 - 4);
  return h("svg", { class: "bar", width: WIDTH, height: HEIGHT, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" },
    h("line", { class: "zero", x1: WIDTH / 2, x2: WIDTH / 2, y1: 0, y2: HEIGHT }),
    ends && h("line", { class: "span", x1: x(ends[0]), x2: x(ends[1]), y1: HEIGHT / 2, y2: HEIGHT / 2 }),
    h("circle", { class: "plus", cx: x(value), cy: HEIGHT / 2, r: 4 }));
}
