// As much of a library as this page needs: elements are kept and only what has changed is
// written, so that focus, selection and screen readers are left in peace.

export function el(tag, cls, ...children) {
  const e = document.createElement(tag);
  if (cls) e.className = cls;
  e.append(...children);
  return e;
}

export function svgEl(cls) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  e.setAttribute("class", cls);
  return e;
}

export function text(e, value) {
  value = String(value ?? "");
  if (e.textContent !== value) e.textContent = value;
}

export function cls(e, value) {
  if (e.className !== value) e.className = value;
}

// sync makes the children of parent those of items, in their order: make creates one, show
// brings it up to date.
export function sync(parent, items, key, make, show) {
  const known = parent.known ?? (parent.known = new Map());
  const left = new Set(known.keys());
  let after = null;
  for (const item of items) {
    const k = key(item);
    left.delete(k);
    let e = known.get(k);
    if (!e) {
      e = make(item);
      known.set(k, e);
    }
    show(e, item);
    const next = after ? after.nextSibling : parent.firstChild;
    if (e !== next) parent.insertBefore(e, next);
    after = e;
  }
  for (const k of left) {
    known.get(k).remove();
    known.delete(k);
  }
}

export function badge(e, state, word = state) {
  text(e, word);
  cls(e, `badge ${state}`);
}

// table makes one with these columns: [heading, class].
export function table(columns, caption) {
  const head = el("tr");
  for (const [name, c] of columns) {
    const th = el("th", c, name);
    th.scope = "col";
    head.append(th);
  }
  const t = el("table", "stack", el("caption", "", caption), el("thead", "", head), el("tbody"));
  return t;
}

// row makes a row of a table, with a cell for each column.
export function row(columns) {
  const tr = el("tr");
  columns.forEach(([name, c], i) => {
    const td = el("td", `${c} ${i ? "" : "first"}`.trim());
    td.dataset.label = name;
    td.base = td.className;
    tr.append(td);
  });
  return tr;
}

// facts shows a list of [name, value]; what has no value is left out.
export function facts(dl, list) {
  sync(dl, list.filter(([, v]) => v !== "" && v !== undefined && v !== null).flatMap(([k, v]) => [["t" + k, k], ["d" + k, v]]),
    ([key]) => key, ([key]) => el(key[0] === "t" ? "dt" : "dd"), (e, [, v]) => text(e, v));
}
