// The server's side: calls with the admin key, and the stream of states.
//
// The stream is read by fetch, since an EventSource sends no key and gives up for good when a proxy
// answers 502 while the server restarts. A page that nobody sees closes its stream: a browser opens
// six connections to a host, and the server makes states only for those who watch.

const KEY = "clickloop.key";
const SILENCE_MS = 40_000; // the server sends something every 15 s
const FIRST_WAIT_MS = 500, LONGEST_WAIT_MS = 15_000;

let key = (() => { try { return sessionStorage.getItem(KEY) ?? ""; } catch { return ""; } })();
const headers = () => (key ? { Authorization: "Bearer " + key } : {});

// Failure is an answer other than 200: its status, and what the server said.
export class Failure extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

// get asks for one JSON object; path is below the page's own address.
export async function get(path, signal) {
  const answer = await fetch(path, { headers: headers(), signal, cache: "no-store" });
  if (!answer.ok) throw await failure(answer);
  return answer.json();
}

async function failure(answer) {
  const text = await answer.text().catch(() => "");
  let message = text.slice(0, 500) || answer.statusText;
  try { message = JSON.parse(text).error.message ?? message; } catch { /* not JSON: as it is */ }
  return new Failure(answer.status, message);
}

// Connection follows the stream for as long as the page is open. onState(state) is called with each
// state, onChange() whenever phase, reason or retryAt changed.
//
// Phases: "connecting", "live", "lost" (tried again at retryAt), "key" (waits for a key), "hidden".
export class Connection {
  phase = "connecting";
  reason = "";
  retryAt = 0;
  #failures = 0;
  #stop = null;
  #wake = null;

  constructor(onState, onChange) { this.onState = onState; this.onChange = onChange; }

  start() {
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#hide() : this.retry()));
    addEventListener("online", () => this.retry());
    this.#run();
  }

  // useKey remembers the key until the window is closed, and tries it.
  useKey(text) {
    key = text.trim();
    try { sessionStorage.setItem(KEY, key); } catch { /* then it is asked for again */ }
    this.retry();
  }

  // retry tries at once when it was waiting.
  retry() {
    this.#failures = 0;
    this.#wake?.();
  }

  #hide() {
    this.#set("hidden", "");
    this.#stop?.abort();
  }

  #set(phase, reason, retryAt = 0) {
    Object.assign(this, { phase, reason, retryAt });
    this.onChange();
  }

  async #run() {
    for (;;) {
      if (document.hidden) this.#set("hidden", "");
      else await this.#follow().catch((err) => this.#lost(err));
      await this.#rest();
    }
  }

  #lost(err) {
    if (document.hidden) return;
    if (err instanceof Failure && (err.status === 401 || err.status === 403)) {
      this.#set("key", key ? "The server does not take this key: " + err.message : "");
      return;
    }
    const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#failures++) * (0.75 + Math.random() / 2);
    const reason = err instanceof Failure ? `The server answers ${err.status}: ${err.message}`
      : err.name === "TypeError" ? "The server does not answer. It may have been stopped, or the network is down." : err.message;
    this.#set("lost", reason, Date.now() + wait);
  }

  // rest waits until the next attempt is due, the page is seen again, or a key was given.
  #rest() {
    return new Promise((done) => {
      const timer = this.phase === "lost" ? setTimeout(done, this.retryAt - Date.now()) : 0;
      this.#wake = () => { clearTimeout(timer); done(); };
    }).finally(() => { this.#wake = null; });
  }

  async #follow() {
    this.#set("connecting", "");
    this.#stop = new AbortController();
    let silence;
    const heard = () => {
      clearTimeout(silence);
      silence = setTimeout(() => this.#stop.abort(new Error("The server said nothing for 40 s.")), SILENCE_MS);
    };
    heard();
    try {
      const answer = await fetch("v1/dashboard/stream", { headers: headers(), signal: this.#stop.signal, cache: "no-store" });
      if (!answer.ok) throw await failure(answer);
      await this.#read(answer.body.getReader(), heard);
    } finally {
      clearTimeout(silence);
    }
    throw new Error("The server ended the stream: it is stopping, or starts anew.");
  }

  async #read(reader, heard) {
    const decoder = new TextDecoder();
    const events = new EventLines((state) => {
      this.#failures = 0;
      if (this.phase !== "live") this.#set("live", "");
      this.onState(state);
    });
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      events.add(decoder.decode(value, { stream: true }));
    }
  }
}

// EventLines takes server-sent events in pieces and hands on the data of each event "state".
export class EventLines {
  #rest = [];
  #event = "";
  #data = [];

  constructor(onState) { this.onState = onState; }

  add(piece) {
    const lines = piece.split("\n");
    this.#rest.push(lines.shift());
    for (const line of lines) {
      this.#line(this.#rest.join("").replace(/\r$/, ""));
      this.#rest = [line];
    }
  }

  #line(line) {
    if (line.startsWith("event:")) this.#event = line.slice(6).trim();
    else if (line.startsWith("data:")) this.#data.push(line.slice(5));
    else if (line === "") {
      if (this.#event === "state" && this.#data.length) this.onState(JSON.parse(this.#data.join("\n")));
      this.#event = "";
      this.#data = [];
    }
  }
}
