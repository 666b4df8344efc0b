// Small charts as inline SVG. Each has a text that says what it shows.

const NS = "http://www.w3.org/2000/svg";
const W = 600, H = 112;

function svg(tag, attrs) {
  const e = document.createElementNS(NS, tag);
  for (const [k, v] of Object.entries(attrs)) e.setAttribute(k, v);
  return e;
}

// nice is the next round number above v, for the top of a scale.
function nice(v) {
  if (!(v > 0)) return 1;
  const p = 10 ** Math.floor(Math.log10(v));
  for (const m of [1, 1.5, 2, 3, 4, 5, 7.5, 10]) if (m * p >= v) return m * p;
  return 10 * p;
}

const x = (i, n) => (n < 2 ? 0 : (i / (n - 1)) * W);
const y = (v, top) => H - (Math.min(v, top) / top) * (H - 6);

// line is the path of values; a null interrupts it.
function line(values, top) {
  let d = "", pen = "M";
  values.forEach((v, i) => {
    if (v === null) { pen = "M"; return; }
    d += `${pen}${x(i, values.length).toFixed(1)} ${y(v, top).toFixed(1)}`;
    pen = "L";
  });
  return d;
}

function area(upper, lower, top) {
  const n = upper.length;
  let d = "M";
  for (let i = 0; i < n; i++) d += `${i ? "L" : ""}${x(i, n).toFixed(1)} ${y(upper[i], top).toFixed(1)}`;
  for (let i = n - 1; i >= 0; i--) d += `L${x(i, n).toFixed(1)} ${y(lower[i], top).toFixed(1)}`;
  return d + "Z";
}

function frame(into, label, marks) {
  into.setAttribute("viewBox", `0 0 ${W} ${H}`);
  into.setAttribute("preserveAspectRatio", "none");
  into.setAttribute("role", "img");
  into.setAttribute("aria-label", label);
  const parts = [H / 2, 6].map((at) => svg("line", { class: "grid", x1: 0, x2: W, y1: at, y2: at }));
  for (const at of marks) parts.push(svg("line", { class: "mark", x1: at * W, x2: at * W, y1: 0, y2: H }));
  return parts;
}

// stacked draws series one upon the other, and over them a line of errors; marks are the
// shares of the width at which something happened. It returns the top of its scale.
export function stacked(into, series, errors, marks, label) {
  const n = errors.length, sum = new Array(n).fill(0), parts = [];
  const bands = series.map((s) => {
    const lower = sum.slice();
    s.values.forEach((v, i) => { sum[i] += v ?? 0; });
    return { lower, upper: sum.slice(), color: s.color };
  });
  const top = nice(Math.max(...sum, ...errors, 1));
  const back = frame(into, label, marks);
  for (const b of bands) parts.push(svg("path", { class: `area ${b.color}`, d: area(b.upper, b.lower, top) }));
  if (errors.some((v) => v > 0)) parts.push(svg("path", { class: "line cerr", d: line(errors, top) }));
  into.replaceChildren(...parts, ...back);
  return top;
}

// lines draws series on one scale, and returns its top.
export function lines(into, series, marks, label) {
  const top = nice(Math.max(...series.flatMap((s) => s.values.map((v) => v ?? 0)), 0.000001));
  const back = frame(into, label, marks);
  into.replaceChildren(...back, ...series.map((s) => svg("path", { class: `line ${s.color}`, d: line(s.values, top) })));
  return top;
}

// spark is a line of bars without a scale, for a table's cell.
export function spark(into, values, label) {
  const top = nice(Math.max(...values, 1));
  into.setAttribute("viewBox", `0 0 ${W} ${H}`);
  into.setAttribute("preserveAspectRatio", "none");
  into.setAttribute("role", "img");
  into.setAttribute("aria-label", label);
  into.replaceChildren(svg("path", { class: "area", d: area(values, values.map(() => 0), top) }));
}
