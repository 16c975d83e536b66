// Numbers, durations and times as a reader wants them, each with its unit.

import { h } from "./dom.js";
import { settings } from "./settings.js";

export const none = () => h("span", { class: "none" }, "none yet");
const isNumber = (n) => typeof n === "number" && Number.isFinite(n);

// whole is a count with its thousands: 12,345.
export const whole = (n) => (isNumber(n) ? Math.round(n).toLocaleString("en") : none());

// digits is a number with so many digits behind the point.
export const digits = (n, places) =>
  isNumber(n) ? n.toLocaleString("en", { minimumFractionDigits: places, maximumFractionDigits: places }) : none();

// significant is a number with so many digits that count: 0.0123, 1,240.
export const significant = (n, count = 3) =>
  isNumber(n) ? n.toLocaleString("en", { maximumSignificantDigits: Math.max(count, n === 0 ? 1 : Math.floor(Math.log10(Math.abs(n))) + 1) }) : none();

// probability is a share with four digits that count, and what it is in per cent.
export const probability = (p) =>
  isNumber(p) ? h("span", { title: significant(p * 100, 4) + " %" }, p.toLocaleString("en", { minimumSignificantDigits: 4, maximumSignificantDigits: 4 })) : none();

export const percent = (share, places = 1) => (isNumber(share) ? digits(share * 100, places) + " %" : none());
export const rate = (perSecond) => (isNumber(perSecond) ? significant(perSecond, 3) + "/s" : none());

// interval is a value and the ends that hold it: 0.273 (0.268 to 0.279).
export function interval(value, ends, places = 4) {
  if (!isNumber(value)) return none();
  if (!Array.isArray(ends)) return digits(value, places);
  return [digits(value, places), h("span", { class: "ends" }, ` (${digits(ends[0], places)} to ${digits(ends[1], places)})`)];
}

// duration is milliseconds in the unit that suits them: 0.41 ms, 4.2 s, 3 min 10 s.
export function duration(ms) {
  if (!isNumber(ms)) return none();
  if (ms < 0) return "-" + duration(-ms);
  if (ms < 1000) return (ms < 10 ? significant(ms, 2) : Math.round(ms)) + " ms";
  const s = ms / 1000;
  if (s < 60) return significant(s, 2) + " s";
  const parts = s < 3600 ? [[s / 60, "min"], [s % 60, "s"]]
    : s < 86400 ? [[s / 3600, "h"], [(s % 3600) / 60, "min"]] : [[s / 86400, "d"], [(s % 86400) / 3600, "h"]];
  return parts.filter(([n], i) => i === 0 || n >= 1).map(([n, unit]) => Math.floor(n).toLocaleString("en") + " " + unit).join(" ");
}

// time is a moment of the reader's zone, or of UTC when that is chosen; a pointer shows the other
// one. recorded says that the moment is one of the recording that is played.
export function time(text, { recorded = false } = {}) {
  const moment = new Date(text ?? NaN);
  if (Number.isNaN(moment.getTime())) return none();
  const local = clock(moment, false), utc = clock(moment, true) + " UTC";
  const shown = settings.utc ? clock(moment, true) : local;
  const title = (settings.utc ? local + " local time" : utc) + (recorded ? ", recorded time" : "");
  return h("time", { datetime: moment.toISOString(), title, class: recorded ? "recorded" : null }, shown,
    recorded && h("span", { class: "mark" }, " recorded"));
}

// clock writes a moment, without its date when that is today.
export function clock(moment, utc = settings.utc) {
  const [date, hour] = stamp(moment, utc);
  return (date === stamp(new Date(), utc)[0] ? "" : date + " ") + hour;
}

// stamp is the date and the hour of a moment, such as 2026-11-29 and 16:03:12.
export function stamp(moment, utc = settings.utc) {
  const shifted = utc ? moment : new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000);
  const [date, hour] = shifted.toISOString().split("T");
  return [date, hour.slice(0, 8)];
}

// plural is a count with its noun.
export const plural = (n, noun, nouns = noun + "s") => `${whole(n)} ${n === 1 ? noun : nouns}`;
