// How each reader of a topic does: ok, slow, stopped, or not begun. Colours never say it alone.

export const SLOW_SECONDS = 5, STOPPED_SECONDS = 10;

export const WORDS = {
  ok: "● ok", slow: "▲ slow", stopped: "■ stopped", waits: "◌ not begun", unknown: "? not known",
};

const progress = new Map(); // by reader: { at: records read, since: ms of the server's clock }

// follow takes note of how far each reader has come, once a state.
export function follow(state) {
  const now = Date.parse(state.now);
  for (const c of state.consumers ?? []) {
    const topic = (state.topics ?? []).find((t) => t.topic === c.topic);
    if (!topic || typeof c.behind !== "number") continue;
    const at = topic.records - c.behind, before = progress.get(nameOf(c));
    if (!before || before.at !== at || before.since > now) progress.set(nameOf(c), { at, since: now });
  }
  if (progress.size > 500) progress.clear(); // readers come and go: begin anew
}

export const nameOf = (c) => [c.group, c.topic, c.objective, c.network].filter(Boolean).join("/");

// isOld tells that the server could not read the topics lately: then its figures are those of
// before, and say nothing of how readers do now.
export const isOld = (state) => Date.parse(state.now) - Date.parse(state.read ?? state.now) > SLOW_SECONDS * 1000;

// status of a reader: its kind, and why in words.
export function status(state, c) {
  if (isOld(state)) return { kind: "unknown", why: "the topics cannot be read" };
  if (typeof c.behind !== "number") return { kind: "waits", why: "nothing is committed yet" };
  if (c.behind <= 0) return { kind: "ok", why: "at the end" };
  const still = (Date.parse(state.now) - (progress.get(nameOf(c))?.since ?? Infinity)) / 1000;
  const onPurpose = (c.window_ms ?? 0) / 1000;
  if (still > STOPPED_SECONDS + onPurpose) return { kind: "stopped", why: `nothing was read for ${Math.round(still)} s` };
  const seconds = c.behind_seconds ?? 0;
  if (seconds > SLOW_SECONDS + onPurpose) return { kind: "slow", why: onPurpose ? "behind by more than the window of labels" : "behind by more than 5 s" };
  return { kind: "ok", why: onPurpose ? "waits for labels" : "follows" };
}

// worst is the worst kind of several.
export function worst(kinds) {
  return ["stopped", "slow", "unknown", "waits", "ok"].find((k) => kinds.includes(k)) ?? "waits";
}
