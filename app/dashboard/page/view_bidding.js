// Bidding: spend, win rate and pacing of each campaign, where there is bidding.

import { h, untrusted } from "./dom.js";
import { parts } from "./bar.js";
import { chart } from "./chart.js";
import { clock, digits, percent, significant, whole } from "./format.js";
import { sortAgain, table } from "./table.js";

export const view = { hash: "bidding", name: "Bidding", title: "Bidding", draw };

const money = (n) => (typeof n === "number" ? digits(n, Math.abs(n) < 10 ? 4 : 2) : "none yet");
const sum = (rows, name) => rows.reduce((all, c) => all + (c[name] ?? 0), 0);

function draw(state, page) {
  const b = state.bidding;
  if (!b) return h("p", { class: "empty" }, "No bidding: the configuration has no catalogue with campaigns, or the bidder does not run in this process. The example examples/bidding has one.");
  const rows = b.campaigns ?? [], bids = sum(rows, "bids"), wins = sum(rows, "wins");
  const spec = campaigns(rows);
  return [
    h("p", { class: "note" }, "Money is in units of the account's currency."),
    h("dl", { class: "facts" }, fact("Spent", money(sum(rows, "spent"))), fact("Reserved for open bids", money(sum(rows, "reserved"))), fact("Bids", whole(bids)), fact("Wins", whole(wins)), fact("Win rate", bids ? percent(wins / bids) : "no bid yet")),
    spend(b.spent_per_minute ?? [], page),
    h("h2", null, "Campaigns"), rows.length > 0 && h("p", null, sortAgain(spec)), table(spec),
    rows.some((c) => c.estimated) && h("p", { class: "note" }, "≈ Estimated: not every step of the bids was read."),
    b.skipped > 0 && h("p", { class: "note" }, `${b.skipped.toLocaleString("en")} steps of bids were passed over, since more came than this page reads. Counts are too low by these.`),
  ];
}

const fact = (name, value) => h("div", { key: name }, h("dt", null, name), h("dd", null, value));

function spend(minutes, page) {
  return chart({
    key: "spend", title: "Spend by minute", note: "What won bids cost, in the minute in which they were billed.",
    xs: minutes.map((m) => Date.parse(m.start) / 1000), x: { title: page.recorded ? "Minute (recorded)" : "Minute", time: true, pad: 45, text: (s) => clock(new Date(s * 1000)) },
    y: { text: money, from: 0 }, lines: [{ name: "Spent", kind: "bars", ys: minutes.map((m) => m.spent) }],
    empty: "Nothing was spent yet. Money counts when a won bid is billed.",
  });
}

function campaigns(rows) {
  return {
    key: "campaigns", label: "Campaigns", rows, keyOf: (c) => c.id, sortBy: "Spent", empty: "No campaign has bid yet.",
    columns: [
      { name: "Campaign", wide: true, sort: (c) => c.id, down: false, text: (c) => untrusted(c.id, 80) },
      { name: "Spent", number: true, sort: (c) => c.spent, down: true, text: (c) => (c.estimated ? "≈ " : "") + money(c.spent) },
      { name: "Budget", number: true, sort: (c) => c.budget, text: (c) => (c.budget ? money(c.budget) : c.daily ? money(c.daily) + " a day" : "no bound") },
      { name: "Of the budget", text: (c) => [share(c) !== null && parts(c.spent / c.budget, (c.reserved ?? 0) / c.budget), share(c) !== null ? " " + percentText(share(c)) : "no bound in total", share(c) >= 0.999 ? h("span", { class: "word slow" }, " ■ used up") : ""] },
      { name: "Reserved", number: true, sort: (c) => c.reserved, text: (c) => money(c.reserved) },
      { name: "Bids", number: true, sort: (c) => c.bids, down: true, text: (c) => whole(c.bids) },
      { name: "Wins", number: true, sort: (c) => c.wins, down: true, text: (c) => whole(c.wins) },
      { name: "Win rate", number: true, sort: (c) => c.win_rate, down: true, text: (c) => (typeof c.win_rate === "number" ? percent(c.win_rate) : "no bid yet") },
      { name: "Pacing", number: true, sort: (c) => c.pacing, help: "Share of the auctions in which it bids", text: (c) => (typeof c.pacing === "number" ? percent(c.pacing, 0) : "all") },
    ],
  };
}

// share of the budget in total that is spent or reserved.
const share = (c) => (c.budget ? (c.spent + (c.reserved ?? 0)) / c.budget : null);
const percentText = (s) => significant(s * 100, 3) + " %";
