// What a screen reader is told unasked: that the connection was lost or is back, that a guard found
// something or is content again, that records went to the dead letters. At most one sentence in 20
// seconds, so that figures which change each second do not talk over the reader.

const QUIET_MS = 20_000;

export class Speech {
  #element;
  #last = -Infinity;
  #timer = 0;
  #waiting = "";
  #wasLost = false;
  #alarms = null;
  #letters = null;

  constructor(element) { this.#element = element; }

  phase(phase) {
    if (phase === "lost" && !this.#wasLost) this.say("Connection lost. The page tries again by itself.");
    if (phase === "live" && this.#wasLost) this.say("Connected again.");
    if (phase === "lost" || phase === "live") this.#wasLost = phase === "lost";
  }

  state(state) {
    const alarms = (state.guards ?? []).filter((g) => g.held || g.alarm).map((g) => g.objective).join(", ");
    if (this.#alarms !== null && alarms !== this.#alarms) this.later(alarms ? "Guard alarm for " + alarms + "." : "No guard alarm any more.");
    this.#alarms = alarms;
    const letters = state.deadletters?.total ?? 0;
    if (this.#letters !== null && letters > this.#letters) this.later(`${letters} records are in the dead letters.`);
    this.#letters = letters;
  }

  // say speaks at once, as the answer to what a reader did or must know.
  say(words) {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#last = performance.now();
    this.#element.textContent = words;
  }

  // later speaks when the last sentence is long enough ago; of several, the newest.
  later(words) {
    this.#waiting = words;
    if (this.#timer) return;
    this.#timer = setTimeout(() => this.say(this.#waiting), Math.max(0, this.#last + QUIET_MS - performance.now()));
  }
}
