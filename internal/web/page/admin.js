// Orders, for whoever has the admin token. It is kept in this variable and nowhere else: a page
// that is loaded again has forgotten it.

import { el, text, cls } from "./dom.js";

const $ = (id) => document.getElementById(id);
let token = "";

// ask shows a dialog and returns the choice, null for none. choices are [value, label].
function ask(title, detail, choices, body = "") {
  const d = $("ask");
  const buttons = choices.map(([value, label]) => {
    const b = el("button", "", label);
    b.value = value;
    return b;
  });
  const none = el("button", "quiet", "Cancel");
  d.replaceChildren(el("h3", "", title), el("p", "about", detail), body, el("div", "choices", ...buttons, none));
  return new Promise((done) => {
    let choice = null;
    for (const b of buttons) b.onclick = () => { choice = b.value; d.close(); };
    none.onclick = () => d.close();
    d.onclose = () => done(choice);
    d.showModal();
  });
}

function input(type, name, value) {
  const i = el("input"), label = el("label", "", `${name} `, i);
  i.type = type;
  i.value = value;
  i.autocomplete = "off";
  return [i, label];
}

function say(message, good) {
  const e = $("done");
  e.hidden = false;
  text(e, message);
  cls(e, good ? "notice good" : "notice");
}

// send gives an order, and says what came of it.
async function send(order) {
  let body;
  try {
    const r = await fetch("admin", { method: "POST", headers: { "Content-Type": "application/json", "Tandem-Token": token }, body: JSON.stringify(order) });
    body = await r.json();
    if (r.status === 401) signOut();
    if (!r.ok) { say(`Refused: ${body.error}`, false); return false; }
  } catch (e) {
    say(`The balancer did not say what came of it: ${e.message}`, false);
    return false;
  }
  if (body.message) say(body.message, true);
  return true;
}

function signOut() {
  token = "";
  document.body.classList.remove("admin");
  text($("sign-in"), "Sign in to steer");
}

async function signIn() {
  if (token) { signOut(); return; }
  const [i, label] = input("password", "Admin token", "");
  const choice = await ask("Sign in to steer", "The line in the file that [control] admin_token_file names. It goes over this HTTP connection, and is forgotten with this page.", [["in", "Sign in"]], label);
  token = i.value;
  i.value = "";
  if (!choice || !token || !(await send({ do: "nothing" }))) { signOut(); return; }
  document.body.classList.add("admin");
  text($("sign-in"), "Sign out");
}

const meaning = {
  drain: "It gets no new requests; those under way come to their end. It is still checked. So on all balancers.",
  maint: "It gets no new requests, those under way come to their end, and it is not checked. So on all balancers.",
  ready: "It gets requests again as soon as it is up. So on all balancers.",
  weight: "Its share of the requests, where others have 100; 0 gives it back its own. So on all balancers.",
};

// steerBackend asks what to do with a backend.
export async function steerBackend(name, weight) {
  const [i, label] = input("number", "Weight", weight);
  i.min = 0; i.max = 256;
  const choice = await ask(`Steer ${name}`, "What shall be done?", [["drain", "Drain"], ["maint", "Maintenance"], ["ready", "Ready"], ["weight", "Set weight"]], label);
  if (!choice) return;
  const order = { do: choice, backend: name };
  if (choice === "weight") order.weight = Number(i.value);
  const title = choice === "weight" ? `Give ${name} the weight ${order.weight}?` : `${name}: ${choice}?`;
  if (await ask(title, meaning[choice], [["yes", "Yes, do it"]])) await send(order);
}

// steerNode asks what to do with a balancer.
export async function steerNode(node, inMaint) {
  const choices = [["handover", `Hand the VIP over to ${node}`], inMaint ? ["maint off", "End its maintenance"] : ["maint on", "Take it out of service"]];
  const choice = await ask(`Steer ${node}`, "What shall be done?", choices);
  if (!choice) return;
  const of = {
    handover: [`Hand the VIP over to ${node}?`, "New connections go there at once, and those that there are come to their end where they are, as far as the self-test says so.", { do: "handover", to: node }],
    "maint on": [`Take ${node} out of service?`, "Its VIPs are handed over first. Then it is no candidate for any, whatever happens to the others.", { do: "maint on", to: node }],
    "maint off": [`End the maintenance of ${node}?`, "It is a candidate for the VIPs again.", { do: "maint off", to: node }],
  }[choice];
  if (await ask(of[0], of[1], [["yes", "Yes, do it"]])) await send(of[2]);
}

// steerButton opens one of these dialogs; it is seen by whoever has signed in.
export function steerButton(label, open) {
  const b = el("button", "steer", "Steer");
  b.setAttribute("aria-label", label);
  b.onclick = () => open();
  return b;
}

const state = await (await fetch("admin")).json();
$("sign-in").hidden = !state.admin;
$("sign-in").onclick = signIn;
