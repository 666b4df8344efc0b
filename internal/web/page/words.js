// How numbers, times and states are told.

const second = 1e9; // durations are nanoseconds

export function duration(ns) {
  if (ns === undefined || ns === null) return "–";
  const s = ns / second;
  if (s === 0) return "–";
  if (s < 0.001) return `${Math.round(s * 1e6)} µs`;
  if (s < 0.01) return `${(s * 1e3).toFixed(1)} ms`;
  if (s < 1) return `${Math.round(s * 1e3)} ms`;
  if (s < 10) return `${s.toFixed(1)} s`;
  return span(s);
}

// span is a time that people wait, in whole seconds.
export function span(s) {
  s = Math.max(0, Math.round(s));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 48 * 3600) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} days`;
}

// since is how long ago then was at now; both are times as text.
export function since(now, then) {
  if (!then || then.startsWith("0001")) return "–";
  return span((Date.parse(now) - Date.parse(then)) / 1000);
}

export function rate(v) {
  if (v === undefined || v === null) return "–";
  if (v === 0) return "0";
  if (v < 10) return v.toFixed(1);
  if (v < 10000) return String(Math.round(v));
  if (v < 1e6) return `${(v / 1e3).toFixed(1)} k`;
  return `${(v / 1e6).toFixed(1)} M`;
}

// count is a number of whole things.
export function count(v) { return v < 10000 ? String(v ?? 0) : rate(v); }

export function bytes(v) {
  if (v === undefined || v === null) return "–";
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (v < 1024 || unit === "GiB") return `${v < 10 && unit !== "B" ? v.toFixed(1) : Math.round(v)} ${unit}`;
    v /= 1024;
  }
}

export function clock(text) {
  const t = new Date(text), two = (n, w = 2) => String(n).padStart(w, "0");
  return `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}.${two(t.getMilliseconds(), 3)}`;
}

const tones = {
  active: "good", up: "good", alive: "good", serving: "good", backup: "calm", draining: "warn", drain: "warn", init: "warn",
  suspect: "warn", maint: "warn", fault: "bad", down: "bad", failed: "bad", unknown: "bad",
};

// tone is the colour of a state; its word always stands beside it.
export function tone(state) { return tones[state] ?? ""; }

// what tells an entry of the timeline in a sentence, and its detail apart.
export function what(e) {
  switch (e.kind) {
    case "state": return [`${e.group}: ${e.from} → ${e.to}`, [reason(e), took(e.phases)].filter(Boolean).join(" · ")];
    case "served": return [`${e.group}: first request served`, e.phases ? `${duration(e.phases.serve)} after the VIP was on the interface` : ""];
    case "member": return [`${e.subject} ${e.to}`, e.detail];
    case "backend": return [`${e.subject} of ${e.group}: ${e.from ? e.from + " → " : ""}${e.to || "gone"}`, e.detail];
    case "order": return [`${e.subject}: ${e.to}`, [e.who, e.detail].filter(Boolean).join(" · ")];
    case "process": return [`${e.subject}: ${e.from ? e.from + " → " : ""}${e.to}`, e.detail];
  }
  return [[e.subject, e.from, e.to].filter(Boolean).join(" "), e.detail];
}

export function reason(e) {
  return [e.reason, e.peer, e.detail ? `(${e.detail})` : ""].filter(Boolean).join(" ");
}

function took(p) {
  if (!p) return "";
  const all = (p.detect ?? 0) + (p.decide ?? 0) + (p.claim ?? 0) + (p.announce ?? 0);
  return all ? `took ${duration(all)}` : "";
}
