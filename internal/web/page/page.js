import { el, svgEl, text, cls, sync, badge, table, row, facts } from "./dom.js";
import { duration, span, since, rate, count, bytes, clock, tone, what } from "./words.js";
import { stacked, lines, spark } from "./charts.js";
import { steerBackend, steerNode, steerButton } from "./admin.js";

const $ = (id) => document.getElementById(id);
const stale = 3e9; // ns after which a node's word is not believed
const chartable = 1.6e9; // ns after which it is not drawn any more: who has died had no more requests
const seconds = 300; // that the charts show
const past = new Map(); // "node frontend" → samples by second
const sparks = new Map(); // "pool backend" → requests per second, of late

let last = null, lastAt = 0;

// heard says whether a node's word is fresh enough to be believed.
const heard = (v) => v.status && v.age <= stale && v.status.keeper_age <= stale && v.member !== "failed" && v.member !== "left";
// replaced says whether another node has claimed a group since this one said that it was active.
const replaced = (v, g) => g.state === "active" && last.nodes.some((o) => o.node !== v.node && heard(o) && (o.status.groups ?? []).some((og) =>
  og.name === g.name && og.state === "active" && og.epoch > g.epoch && o.age + (Date.parse(o.status.at) - Date.parse(og.since)) * 1e6 < v.age + v.status.keeper_age));
const stateOf = (v, g) => (heard(v) && !replaced(v, g) ? g.state : "unknown");

// hearsay is who is active in a group by another one's word, where the active's own does not come:
// its keeper is heard, by its adverts or, while they do not come, by another path.
function hearsay(c, name) {
  for (const v of c.nodes) {
    const g = heard(v) ? (v.status.groups ?? []).find((g) => g.name === name) : null;
    if (!g || !g.active || g.active === v.node || c.nodes.some((o) => o.node === g.active && heard(o))) continue;
    return { active: g.active, by: v.node, path: g.path_degraded };
  }
  return null;
}

// ── What comes from the balancer ────────────────────────────────────────────

const events = new EventSource("events");
events.addEventListener("history", (e) => {
  past.clear();
  for (const h of JSON.parse(e.data)) {
    const samples = new Map();
    h.at.forEach((at, i) => samples.set(at, { requests: h.requests[i], errors: h.errors[i], p50: h.p50[i], p95: h.p95[i], p99: h.p99[i] }));
    past.set(`${h.node} ${h.frontend}`, samples);
  }
});
events.addEventListener("cluster", (e) => {
  last = JSON.parse(e.data);
  lastAt = performance.now();
  remember(last);
  show(last);
});
events.onerror = () => link();
setInterval(link, 1000);

function link() {
  const silent = (performance.now() - lastAt) / 1000, e = $("link");
  if (!last) { text(e, "connecting"); return; }
  const lost = silent > 4;
  cls(e, lost ? "link lost" : "link live");
  text(e, lost ? `no word for ${span(silent)}` : "live");
  $("notice").hidden = !lost;
  if (lost) text($("notice"), `${last.node} does not answer. What stands here is ${span(silent)} old. The page goes on trying.`);
}

// remember adds what is new to the charts.
function remember(c) {
  const at = Math.floor(Date.parse(c.at) / 1000);
  for (const v of c.nodes) {
    if (!heard(v) || v.age > chartable) continue;
    for (const f of v.status.frontends ?? []) {
      const key = `${v.node} ${f.name}`, samples = past.get(key) ?? new Map(), l = f.live;
      if (l) samples.set(at, { requests: l.requests_per_s, errors: l.errors_per_s, p50: l.p50, p95: l.p95, p99: l.p99 });
      for (const old of samples.keys()) if (old < at - seconds) samples.delete(old);
      past.set(key, samples);
    }
  }
}

// series is a value of each second, of one node's frontend. Short gaps are bridged.
function series(node, frontend, now, field, none) {
  const samples = past.get(`${node} ${frontend}`) ?? new Map(), out = [];
  let before = null, age = 9;
  for (let at = now - seconds; at <= now; at++) {
    const s = samples.get(at);
    if (s) { before = s; age = 0; } else age++;
    out.push(before && age < 3 ? s ? s[field] : before[field] : none);
  }
  return out;
}

// ── What is shown ───────────────────────────────────────────────────────────

function show(c) {
  link();
  text($("source"), `${c.node} answers`);
  const own = c.nodes.find((v) => v.node === c.node);
  text($("version"), `tandem ${own.status.version}`);
  const colors = new Map(c.nodes.map((v, i) => [v.node, `c${i % 4}`]));
  showDifference(c);
  showVIPs(c);
  showFrontends(c, colors);
  showPools(c);
  showOutside(own.status);
  showTimeline(c);
  showMembers(own.status);
  showProcesses(c);
}

// showDifference says which balancers have another configuration.
function showDifference(c) {
  const of = c.nodes.filter((v) => heard(v) && v.status.config?.others?.length).map((v) => `${v.node}: ${v.status.config.hash}`);
  $("differs").hidden = of.length === 0;
  if (of.length) text($("differs"), `The balancers have different configurations (${of.join(", ")}). Put the same file on all, and run tandem reload on each.`);
}

function showVIPs(c) {
  const groups = new Map();
  for (const v of c.nodes) for (const g of v.status?.groups ?? []) {
    if (!groups.has(g.name)) groups.set(g.name, { name: g.name, vips: g.vips, nodes: [] });
    groups.get(g.name).nodes.push({ v, g });
  }
  for (const group of groups.values()) for (const v of c.nodes) if (!v.status) group.nodes.push({ v, g: null });
  sync($("vips"), [...groups.values()], (g) => g.name, () => {
    const e = el("article", "card");
    e.who = el("h3", "who"); e.address = el("span", "address"); e.why = el("p", "why"); e.nodes = el("div", "nodes");
    e.who.setAttribute("aria-live", "polite");
    e.append(el("div", "vip-head", e.who, e.address), e.why, e.nodes);
    return e;
  }, showGroup);
  const main = [...groups.values()][0], active = main?.nodes.filter(({ v, g }) => g && stateOf(v, g) === "active").map(({ v }) => v.node);
  const said = main ? hearsay(c, main.name) : null;
  document.title = main ? `${active.length ? active.join(" and ") + " active" : said ? said.active + " active" : "nobody active"} · Tandem` : "Tandem";
}

function showGroup(e, group) {
  const active = group.nodes.filter(({ v, g }) => g && stateOf(v, g) === "active"), said = active.length ? null : hearsay(last, group.name);
  const names = said ? [said.active] : active.map(({ v }) => v.node);
  text(e.who, names.length === 0 ? "Nobody is active" : names.length === 1 ? `${names[0]} is active` : `${names.join(" and ")} are both active`);
  cls(e.who, names.length === 1 ? "who" : "who nobody");
  text(e.address, group.vips.join(", ") + (group.name === "default" ? "" : ` · group ${group.name}`));
  const a = active[0];
  text(e.why, a ? `For ${since(a.v.status.at, a.g.since)}. ${a.g.why || `The reason was ${a.g.reason}.`}` : said ? bySaying(said) : "No balancer that is heard from says that it holds the VIP.");
  sync(e.nodes, group.nodes, ({ v }) => v.node, ({ v }) => {
    const n = el("div", "node");
    n.badge = el("span"); n.facts = el("dl", "facts");
    const steer = steerButton(`Steer ${v.node}`, () => steerNode(v.node, !!n.maint));
    n.append(el("div", "node-head", el("h3", "", v.node), n.badge, steer), n.facts);
    return n;
  }, showNode);
}

function bySaying(said) {
  return said.path ? `So its answers say, which reach ${said.by} by ${said.path} while its adverts do not; it tells ${last.node} nothing itself.`
    : `So its adverts say, which ${said.by} hears; it tells ${last.node} nothing itself.`;
}

function showNode(n, { v, g }) {
  if (!g) {
    cls(n, "node unknown");
    badge(n.badge, "bad", "unknown");
    facts(n.facts, [["member", v.member], ["nothing heard", v.error || "yet"]]);
    return;
  }
  const state = stateOf(v, g), test = (g.self_tests ?? [])[0];
  cls(n, `node ${state}`);
  n.maint = v.status.maint;
  badge(n.badge, tone(state), state === "unknown" ? `unknown, was ${g.state}` : state);
  facts(n.facts, [
    ["last word", v.node === last.node ? "now, it answers this page" : `${duration(Math.max(v.age, 1e6))} ago`],
    ["keeper silent", v.status.keeper_age > stale ? span(v.status.keeper_age / 1e9) : ""],
    ["gossip", v.member === "alive" ? "" : v.member],
    ["no answer", v.error],
    ["since", `${since(v.status.at, g.since)} · ${g.reason}`],
    ["epoch", `${g.epoch} · priority ${g.priority} · fitness ${g.fitness}`],
    ["answers", `${[g.answers.ipv4, g.answers.ipv6].filter((a) => a && a !== "none").join(", ")}${g.answers.note ? ": " + g.answers.note : ""} · ${count(g.answers.given)} given`],
    ["handover", g.lossy ? `not lossless: ${g.lossy}` : g.state === "draining" ? `${g.left ?? 0} connections left` : test ? (test.lossless ? `lossless to ${test.peer}` : `to ${test.peer} not lossless: ${test.why}`) : ""],
    ["safe to reboot", v.reboot?.safe ? `${v.reboot.safe}: ${v.reboot.why}${v.reboot.first ? ` First: ${v.reboot.first}.` : ""}` : ""],
    ["clock", Math.abs(v.clock_offset) > Math.max(v.clock_exact, 5e6) ? `${duration(Math.abs(v.clock_offset))} ${v.clock_offset > 0 ? "ahead" : "behind"} (±${duration(v.clock_exact)})` : ""],
    ["peers", (g.peers ?? []).map((p) => (p.heard_ago > stale ? `${p.node} silent for ${duration(p.heard_ago)}, was ${p.state}` : `${p.node} ${p.state}, heard ${duration(p.heard_ago)} ago`)).join("; ")],
    ["maintenance", v.status.maint ? `since ${since(v.status.at, v.status.maint)}` : ""],
    ["fenced", g.fenced ? "it was paused or hears nobody, and says nothing" : ""],
    ["path", g.path_degraded ? `degraded: the active answers by ${g.path_degraded} alone` : ""],
  ]);
}

// marks are the failovers within the charts, as shares of their width.
function marks(c, now) {
  const out = [];
  for (const v of c.nodes) for (const e of v.newest ?? []) {
    if (e.kind !== "state" || e.to !== "active") continue;
    const at = (Date.parse(e.time) / 1000 - (now - seconds)) / seconds;
    if (at > 0 && at <= 1) out.push(at);
  }
  return out;
}

function showFrontends(c, colors) {
  const names = new Map();
  for (const v of c.nodes) for (const f of v.status?.frontends ?? []) {
    if (!names.has(f.name)) names.set(f.name, []);
    names.get(f.name).push({ v, f });
  }
  const now = Math.floor(Date.parse(c.at) / 1000), at = marks(c, now);
  sync($("frontends"), [...names].map(([name, parts]) => ({ name, parts })), (f) => f.name, ({ name }) => {
    const e = el("article", "card");
    e.about = el("span", "about"); e.figures = el("dl", "figures");
    e.requests = chart("Requests a second"); e.latency = chart("Latency");
    e.append(el("div", "head", el("h3", "", `Frontend ${name}`), e.about), e.figures, el("div", "charts", e.requests, e.latency));
    return e;
  }, (e, { name, parts }) => showFrontend(e, name, parts, c, colors, now, at));
}

function chart(title) {
  const f = el("figure");
  f.title_ = title; f.keys = el("span", "keys"); f.top_ = el("span", "top"); f.svg = svgEl("chart");
  f.append(el("figcaption", "", el("span", "", title), f.keys, f.top_), f.svg, el("div", "axis", el("span", "", "5 min ago"), el("span", "", "now")));
  return f;
}

function keys(f, list) {
  sync(f.keys, list, ([name]) => name, ([name, color]) => el("span", "key", el("i", color), name), () => {});
}

// limits are the reasons for which a frontend's limits refuse, and what they are called.
const limits = { source_denied: "network", source_rate: "source_rate", source_maxconn: "source_maxconn", max_body_bytes: "max_body_bytes" };

function showFrontend(e, name, parts, c, colors, now, at) {
  const live = parts.filter(({ v }) => heard(v));
  const sum = (of) => live.reduce((n, p) => n + (of(p.f) ?? 0), 0);
  const busy = live.map(({ f }) => f).sort((a, b) => (b.live?.requests_per_s ?? 0) - (a.live?.requests_per_s ?? 0))[0];
  const errors = sum((f) => f.live?.errors_per_s);
  const by = Object.entries(limits).map(([l, name]) => [name, sum((f) => f.errors?.[l])]).filter(([, n]) => n > 0);
  const refused = by.length === 0 ? "0 refused by limits" : `refused ${by.map(([name, n]) => `${count(n)} by ${name}`).join(", ")}`;
  const refusals = sum((f) => f.live?.refused_per_s);
  text(e.about, `${count(sum((f) => f.requests))} requests so far, ${count(sum((f) => f.status["5xx"]))} errors, ${count(sum((f) => f.retries))} retries, ${refused}`);
  sync(e.figures, [
    ["requests/s", rate(sum((f) => f.live?.requests_per_s))], ["errors/s", rate(errors), errors > 0 ? "bad" : ""], ["refused/s", rate(refusals), refusals > 0 ? "warn" : ""],
    ["p50", duration(busy?.live?.p50)], ["p95", duration(busy?.live?.p95)], ["p99", duration(busy?.live?.p99)],
    ["connections", count(sum((f) => f.current))], ["sent/s", bytes(sum((f) => f.live?.bytes_out_per_s))],
  ], ([k]) => k, ([k]) => el("div", "", el("dt", "", k), el("dd")), (d, [, v, color]) => { text(d.lastChild, v); cls(d.lastChild, color ?? ""); });

  const of = (field, none) => c.nodes.map((v) => ({ node: v.node, color: colors.get(v.node), values: series(v.node, name, now, field, none) }));
  const requests = of("requests", 0), errs = of("errors", 0);
  const total = errs.reduce((all, s) => all.map((n, i) => n + s.values[i]), new Array(seconds + 1).fill(0));
  const top = stacked(e.requests.svg, requests, total, at,
    `Requests a second of frontend ${name} over five minutes, now ${rate(sum((f) => f.live?.requests_per_s))}, errors ${rate(errors)}. ${at.length} failovers are marked.`);
  text(e.requests.top_, `scale ${rate(top)}/s`);
  keys(e.requests, [...requests.map((r) => [r.node, r.color]), ["errors", "cerr"]]);

  const worst = ["p50", "p95", "p99"].map((p) => ({ color: p, values: most(of(p, null).map((s) => s.values)) }));
  const high = lines(e.latency.svg, worst, at, `Latency of frontend ${name} over five minutes: half of the requests now take ${duration(busy?.live?.p50)}, one in a hundred ${duration(busy?.live?.p99)} or more.`);
  text(e.latency.top_, `scale ${duration(high)}`);
  keys(e.latency, ["p50", "p95", "p99"].map((p) => [p, p]));
}

// most is, for each second, the greatest of some series; none where no node had requests.
function most(all) {
  return all[0].map((_, i) => {
    const there = all.map((s) => s[i]).filter((v) => v);
    return there.length ? Math.max(...there) : null;
  });
}

const backendColumns = [["backend", ""], ["address", "mono"], ["state", ""], ["requests/s", "r"], ["", ""], ["errors/s", "r"], ["p50", "r"], ["p99", "r"], ["now", "r"], ["weight", "r"], ["last check", "wide"], ["", "steer"]];

function showPools(c) {
  const pools = new Map();
  for (const v of c.nodes) for (const p of v.status?.pools ?? []) {
    const pool = pools.get(p.name) ?? { name: p.name, policy: p.policy, backends: new Map() };
    pools.set(p.name, pool);
    for (const b of heard(v) ? p.backends : []) {
      if (!pool.backends.has(b.id)) pool.backends.set(b.id, { pool: p.name, id: b.id, seen: [] });
      pool.backends.get(b.id).seen.push({ node: v.node, b });
    }
  }
  sync($("pools"), [...pools.values()], (p) => p.name, (p) => {
    const e = el("article", "card");
    e.about = el("span", "about");
    e.table = table(backendColumns, "Rates are of all balancers together, latencies of the one with most requests.");
    e.append(el("div", "head", el("h3", "", `Pool ${p.name}`), e.about), el("div", "scroll", e.table));
    return e;
  }, (e, p) => {
    const all = [...p.backends.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    const up = all.filter((b) => b.seen.some((s) => s.b.state === "up")).length;
    text(e.about, `${up} of ${all.length} up · ${p.policy}`);
    sync(e.table.tBodies[0], all, (b) => b.id, (b) => {
      const tr = row(backendColumns);
      tr.badge = el("span"); tr.spark = svgEl("spark");
      tr.cells[2].append(tr.badge); tr.cells[4].append(tr.spark);
      tr.cells[11].append(steerButton(`Steer ${b.id}`, () => steerBackend(`${b.pool}/${b.id.replace(/^static /, "")}`, tr.weight)));
      return tr;
    }, showBackend);
  });
}

const outsideColumns = [["app", ""], ["pool", ""], ["address", "mono"], ["why", "wide"]];

// showOutside lists the apps of members that no pool has.
function showOutside(s) {
  const e = $("outside"), all = s.outside ?? [];
  e.hidden = all.length === 0;
  if (!e.table) {
    e.table = table(outsideColumns, `Apps of members that get no requests, since no pool has them, as ${s.node} sees it.`);
    e.append(el("div", "head", el("h3", "", "In no pool")), el("div", "scroll", e.table));
  }
  sync(e.table.tBodies[0], all, (o) => `${o.pool} ${o.app}`, () => row(outsideColumns), (tr, o) => {
    [o.app, o.pool, o.addr || "–", o.why].forEach((v, i) => text(tr.cells[i], v));
  });
}

function showBackend(tr, { pool, id, seen }) {
  const by = [...seen].sort((a, b) => (b.b.live?.requests_per_s ?? 0) - (a.b.live?.requests_per_s ?? 0)), b = by[0].b;
  const sum = (of) => seen.reduce((n, s) => n + (of(s.b) ?? 0), 0);
  const requests = sum((b) => b.live?.requests_per_s), errors = sum((b) => b.live?.errors_per_s);
  const states = new Set(seen.map((s) => s.b.state));
  badge(tr.badge, states.size > 1 ? "warn" : tone(b.state), states.size > 1 ? seen.map((s) => `${s.b.state} on ${s.node}`).join(", ") : b.state);
  const past = sparks.get(`${pool} ${id}`) ?? [];
  past.push(requests);
  if (past.length > 60) past.shift();
  sparks.set(`${pool} ${id}`, past);
  spark(tr.spark, past, `requests a second of ${id}, of late`);
  [id, b.addr, null, rate(requests), null, rate(errors), duration(b.live?.p50), duration(b.live?.p99), count(sum((b) => b.current)), b.weight,
    (seen.find((s) => s.b.why)?.b.why ?? "") || b.reason || b.last_error || (b.checked_at ? `good, ${duration(b.check_took)}` : "")].forEach((v, i) => { if (v !== null) text(tr.cells[i], v); });
  tr.weight = b.weight;
  cls(tr.cells[5], errors > 0 ? "r bad" : "r");
}

function showTimeline(c) {
  const all = c.nodes.flatMap((v) => v.newest ?? []).sort((a, b) => (a.time < b.time ? 1 : a.time > b.time ? -1 : b.seq - a.seq)).slice(0, 60);
  sync($("timeline"), all, (e) => `${e.node} ${e.seq}`, (e) => {
    const [said, detail] = what(e), t = el("time", "", clock(e.time));
    t.dateTime = e.time;
    t.title = new Date(e.time).toLocaleString();
    return el("li", e.kind, t, el("span", "node-name", e.node), el("span", "kind", e.kind), el("span", "what", said, " ", el("small", "", detail ?? "")));
  }, () => {});
}

const memberColumns = [["member", ""], ["role", ""], ["state", ""], ["address", "mono"], ["apps", ""], ["since", ""]];

function showMembers(s) {
  const e = $("members");
  if (!e.table) {
    e.table = table(memberColumns, `As ${s.node} knows the cluster by gossip.`);
    e.append(el("div", "card", el("div", "scroll", e.table)));
  }
  sync(e.table.tBodies[0], s.members ?? [], (m) => m.name, () => {
    const tr = row(memberColumns);
    tr.badge = el("span");
    tr.cells[2].append(tr.badge);
    return tr;
  }, (tr, m) => {
    badge(tr.badge, tone(m.state), m.state);
    const apps = (m.apps ?? []).map((a) => `${a.pool} at ${a.addr}${a.drain ? ", drain" : ""}`).join("; ");
    [m.name, m.role, null, m.addr, apps || "–", since(s.at, m.since)].forEach((v, i) => { if (v !== null) text(tr.cells[i], v); });
  });
}

const processColumns = [["balancer", ""], ["process", ""], ["up", ""], ["restarts", "r"], ["pid", "r"], ["user", ""], ["capabilities", "mono"], ["memory", "r"]];

function showProcesses(c) {
  const e = $("processes"), all = c.nodes.flatMap((v) => (v.status?.processes ?? []).map((p) => ({ v, p })));
  if (!e.table) {
    e.table = table(processColumns, "Control and proxy have no rights; each has a user of its own where there is one.");
    e.append(el("div", "card", el("div", "scroll", e.table)));
  }
  sync(e.table.tBodies[0], all, ({ v, p }) => `${v.node} ${p.name} ${p.pid}`, () => row(processColumns), (tr, { v, p }) => {
    const caps = /^0*$/.test(p.cap_eff) ? "none" : p.cap_eff;
    const name = p.doing && p.doing !== "serving" ? `${p.name}, ${p.doing}, ${p.clients ?? 0} clients` : p.name;
    [v.node, name + (p.ready ? "" : ", not ready"), since(v.status.at, p.since), p.restarts, p.pid, p.own_user ? `${p.uid}` : `${p.uid}, shared`, caps, bytes(p.rss_bytes)]
      .forEach((x, i) => text(tr.cells[i], x));
  });
}
