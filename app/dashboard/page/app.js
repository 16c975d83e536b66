// The page: one document, one view at a time, drawn anew on each state of the server.
//
// A view is { hash, name, title, draw(state, page) }: draw describes the view's elements (dom.js) and
// keeps no state of the loop. page offers what views share: see Page.

import { h, patch, untrusted } from "./dom.js";
import { clock, plural } from "./format.js";
import { Connection, get } from "./server.js";
import { settings, applyTheme, nextTheme, toggleUTC } from "./settings.js";
import { redrawCharts } from "./chart.js";
import { forget } from "./evaluations.js";
import { follow, isOld } from "./hops.js";
import { Speech } from "./speech.js";
import * as loop from "./view_loop.js";
import * as quality from "./view_quality.js";
import * as calibration from "./view_calibration.js";
import * as segments from "./view_segments.js";
import * as predictions from "./view_predictions.js";
import * as prediction from "./view_prediction.js";
import * as networks from "./view_networks.js";
import * as health from "./view_health.js";
import * as bidding from "./view_bidding.js";

const VIEWS = [loop, quality, calibration, segments, predictions, networks, health, bidding].map((m) => m.view);
const ALL = [...VIEWS, prediction.view];
const part = (id) => document.getElementById(id);

// Page is what views share: the state, the calls, and when to draw.
class Page {
  state = null;
  paused = null; // the state that stays, while the page is paused
  argument = ""; // of the hash, behind "="
  #due = false;

  get(path, signal) { return get(path, signal); }

  // redraw draws once, before the next frame.
  redraw() {
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => { this.#due = false; this.draw(); });
  }

  get shown() { return this.paused ?? this.state; }

  // recorded tells that times of events are those of a recording.
  get recorded() { return this.shown?.clock === "recorded"; }

  route() {
    const [hash, ...rest] = location.hash.replace(/^#/, "").split("=");
    if (hash === "main") return false; // the skip link
    this.view = ALL.find((v) => v.hash === hash) ?? loop.view;
    try { this.argument = decodeURIComponent(rest.join("=")); } catch { this.argument = rest.join("="); }
    return true;
  }

  draw() {
    const { view } = this;
    document.title = view.name + " · clickloop";
    patch(part("views"), [h("ul", null, VIEWS.map((v) => h("li", { key: v.hash },
      h("a", { href: "#" + v.hash, "aria-current": v === view || v.hash === view.parent ? "page" : null }, v.name))))]);
    patch(part("status"), status(this));
    patch(part("tools"), tools(this));
    patch(part("notices"), notices(this));
    patch(part("main"), [h("h1", { key: "title" }, view.title), h("div", { key: view.keyed ? view.hash + "=" + this.argument : view.hash, class: "view" }, body(this))]);
  }
}

// body is the view, once there is a state. A view that fails says so and leaves the others alone.
function body(page) {
  if (!page.shown) return h("p", { class: "empty" }, connection.phase === "key" ? "The figures are shown when the key is given." : "Asking the server …");
  try {
    return page.view.draw(page.shown, page);
  } catch (err) {
    console.error(err);
    return h("p", { class: "notice bad", role: "alert" }, "This view cannot be drawn: ", String(err.message), ". The other views are not affected.");
  }
}

function status(page) {
  const { phase } = connection;
  const as = page.shown && (isOld(page.shown) ? page.shown.read : page.shown.now);
  const at = as ? clock(new Date(as)) + (settings.utc ? " UTC" : "") : "";
  const words = page.paused ? ["paused", "Ⅱ Paused", ` at ${at}`] : {
    live: ["ok", "● Live", at && (isOld(page.shown) ? `, figures of ${at}` : `, ${at}`)],
    connecting: ["waits", "◌ Connecting", at && `, figures of ${at}`],
    hidden: ["waits", "◌ At rest", ""],
    lost: ["bad", "■ Connection lost", at && `, figures of ${at}`],
    key: ["waits", "◌ Needs a key", ""],
  }[phase];
  return [h("p", { "data-now": page.shown?.now }, h("span", { class: "word " + words[0] }, words[1]), h("span", { class: "asOf" }, words[2]))];
}

function tools(page) {
  return [
    h("button", { type: "button", "aria-pressed": String(Boolean(page.paused)), disabled: !page.state, onclick: () => pause(page) }, page.paused ? "Go on" : "Pause"),
    h("button", { type: "button", onclick: () => { toggleUTC(); redrawCharts(); page.redraw(); }, title: "Times in the zone of this computer, or in UTC" }, settings.utc ? "Times: UTC" : "Times: local"),
    h("button", { type: "button", onclick: () => { nextTheme(); redrawCharts(); page.redraw(); } }, "Colours: " + settings.theme),
  ];
}

function pause(page) {
  page.paused = page.paused ? null : page.state;
  speech.say(page.paused ? "Paused." : "Live again.");
  page.redraw();
}

// notices are what a reader of any view should know.
function notices(page) {
  const all = [];
  if (connection.phase === "key") all.push(keyForm());
  if (connection.phase === "lost") {
    const seconds = Math.max(0, Math.ceil((connection.retryAt - Date.now()) / 1000));
    all.push(h("div", { key: "lost", class: "notice bad" },
      h("p", null, connection.reason, " ", seconds > 0 ? `This page tries again in ${seconds} s and goes on by itself.` : "Trying again …"),
      h("button", { type: "button", onclick: () => connection.retry() }, "Try now")));
  }
  for (const g of page.shown?.guards ?? []) {
    if (g.alarm || g.held) all.push(h("p", { key: "guard/" + g.objective, class: "notice bad" },
      h("strong", null, `Guard of ${g.objective}: `), g.held ? "new weights are held back. " : "", untrusted(g.alarm ?? ""), " ", h("a", { href: "#health" }, "Health")));
  }
  const problems = page.shown?.problems ?? [];
  problems.slice(0, 5).forEach((p, i) => all.push(h("p", { key: "problem/" + i, class: "notice slow" }, h("strong", null, "Problem: "), untrusted(p, 300))));
  if (problems.length > 5) all.push(h("p", { key: "problems", class: "notice slow" }, `${plural(problems.length - 5, "further problem")}: see `, h("a", { href: "#health" }, "Health"), "."));
  if (page.recorded) all.push(h("p", { key: "recorded", class: "notice" }, "The loop takes recorded times: those of predictions, events and windows are not of today."));
  return all;
}

function keyForm() {
  const submit = (e) => { e.preventDefault(); connection.useKey(e.currentTarget.elements.key.value); };
  return h("form", { key: "key", class: "notice", onsubmit: submit },
    h("p", null, "This server wants its admin key. It is one of those under ", h("code", null, "admin_keys"), " in its configuration; this page keeps it until the window is closed."),
    connection.reason && h("p", { class: "bad", role: "alert" }, connection.reason),
    h("label", { for: "key" }, "Admin key "), h("input", { id: "key", name: "key", type: "password", autocomplete: "current-password", required: true }),
    h("button", { type: "submit" }, "Show the figures"));
}

const page = new Page();
const speech = new Speech(part("spoken"));
const connection = new Connection((state) => {
  page.state = state;
  follow(state);
  speech.state(state);
  page.redraw();
}, () => {
  speech.phase(connection.phase);
  if (connection.phase === "lost" || connection.phase === "hidden") forget();
  page.redraw();
});

applyTheme();
page.route();
page.draw();
addEventListener("hashchange", () => {
  if (!page.route()) return;
  page.draw();
  scrollTo(0, 0);
  part("main").focus({ preventScroll: true });
});
addEventListener("redraw", () => page.redraw());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawCharts);
for (const query of ["(max-width: 760px)", "(prefers-reduced-motion: reduce)"]) matchMedia(query).addEventListener("change", () => page.redraw());
setInterval(() => { if (connection.phase === "lost") page.redraw(); }, 1000);
connection.start();
