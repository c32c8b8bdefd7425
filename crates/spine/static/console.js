// The console's behaviour. Pages are whole without it; what needs it is the touch of a key.
//
// A form says what it does:
//   data-act="NAME"    an act that is signed: its fields are the act's members
//   data-flow="NAME"   a ceremony of its own: sign-in, register, link-sign-in, look-up, claim
//   data-post="PATH"   its fields are posted as JSON
//   data-then="PATH"   where to go afterwards; without it the page is loaded again

// Talking to the gateway

export class Problem extends Error {
  constructor(detail, code = "", steps = []) {
    super(detail);
    this.code = code;
    this.steps = steps;
  }
}

/** The person chose not to sign: nothing to report. */
class Stopped extends Error {}

async function post(path, body = {}) {
  let response;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify(body),
    });
  } catch {
    throw new Problem("The gateway does not answer. Check the connection and try again.");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    throw new Problem(asSentence(answer.detail ?? `The gateway answered ${response.status}`), answer.code, answer.steps);
  }
  return answer;
}

export const asSentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");

/** What went wrong, in words for whoever holds the key. */
export function readable(error) {
  switch (error.name) {
    case "NotAllowedError":
      return "No key was touched in time, or you stopped it. Nothing was signed; you can try again.";
    case "InvalidStateError":
      return "This key is registered already. Use another one.";
    case "NotSupportedError":
      return "This key offers no algorithm that the gateway accepts.";
    case "SecurityError":
      return "The address of this page does not belong to the realm, so no key will sign for it.";
    default:
      return error instanceof Problem ? error.message : `Something went wrong: ${error.message}`;
  }
}

// WebAuthn's JSON forms, for browsers that cannot read and write them yet (Level 3, 5.1.8 and 5.1.9)

const toBytes = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));

const toText = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

const withByteIds = (list = []) => list.map((entry) => ({ ...entry, id: toBytes(entry.id) }));

function creationOptions(json) {
  if (window.PublicKeyCredential?.parseCreationOptionsFromJSON) {
    return PublicKeyCredential.parseCreationOptionsFromJSON(json);
  }
  return {
    ...json,
    challenge: toBytes(json.challenge),
    user: { ...json.user, id: toBytes(json.user.id) },
    excludeCredentials: withByteIds(json.excludeCredentials),
  };
}

function requestOptions(json) {
  if (window.PublicKeyCredential?.parseRequestOptionsFromJSON) {
    return PublicKeyCredential.parseRequestOptionsFromJSON(json);
  }
  return { ...json, challenge: toBytes(json.challenge), allowCredentials: withByteIds(json.allowCredentials) };
}

function asJson(credential) {
  if (credential.toJSON) return credential.toJSON();
  const { response } = credential;
  const out = { clientDataJSON: toText(response.clientDataJSON) };
  if (response.attestationObject) {
    out.attestationObject = toText(response.attestationObject);
    out.transports = response.getTransports?.() ?? [];
  } else {
    out.authenticatorData = toText(response.authenticatorData);
    out.signature = toText(response.signature);
    if (response.userHandle) out.userHandle = toText(response.userHandle);
  }
  return {
    id: credential.id,
    rawId: toText(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment ?? undefined,
    clientExtensionResults: credential.getClientExtensionResults(),
    response: out,
  };
}

async function touch(ceremony, kind, signal) {
  if (!navigator.credentials) {
    throw new Problem("This browser lends no keys to this page. Use HTTPS, or http://localhost.");
  }
  const credential = await (kind === "create"
    ? navigator.credentials.create({ publicKey: creationOptions(ceremony.public_key), signal })
    : navigator.credentials.get({ publicKey: requestOptions(ceremony.public_key), signal }));
  const { statement, seal, attachment } = ceremony;
  return { statement, seal, attachment, credential: asJson(credential) };
}

// Showing what will be signed, then waiting for the key

export const part = (root, name) => root.querySelector(`[data-part="${name}"]`);

export function say(place, text, tone = "") {
  if (!place) return;
  place.textContent = text;
  place.classList.toggle("bad", tone === "bad");
}

const OUTCOMES = { held: ["good", "Held"], failed: ["bad", "Failed"], skipped: ["quiet", "Skipped"] };

/** How a verification went, step by step, below what was said about it. */
function explain(place, steps = []) {
  place?.parentElement.querySelector(".why")?.remove();
  if (!place || !steps.length) return;
  const element = (name, className, ...content) => {
    const made = document.createElement(name);
    made.className = className;
    made.append(...content);
    return made;
  };
  const rows = steps.map(({ number, title, outcome, detail }) => {
    const [tone, word] = OUTCOMES[outcome];
    const text = element("div", "", title, element("p", "", detail));
    return element("li", outcome, element("span", "index", number), text, element("span", `mark ${tone}`, word));
  });
  const why = element("details", "why", element("summary", "", "Each step of the check"), element("ol", "steps", ...rows));
  place.after(why);
}

/** Shows the sentence; gives the signed answer once the person agreed and touched a key. */
function agree(ceremony, kind) {
  const dialog = document.getElementById("ceremony");
  const [sentence, status, go, stop] = ["sentence", "status", "go", "stop"].map((name) => part(dialog, name));
  const touching = new AbortController();
  sentence.textContent = ceremony.sentence;
  say(status, "Your key signs this sentence, and nothing else.");
  go.textContent = kind === "create" ? "Register the key" : "Sign with your key";
  go.disabled = false;
  dialog.showModal();
  go.focus();
  return new Promise((resolve, reject) => {
    go.onclick = async () => {
      go.disabled = true;
      say(status, "Touch your key now.");
      try {
        const answer = await touch(ceremony, kind, touching.signal);
        dialog.close();
        resolve(answer);
      } catch (error) {
        if (touching.signal.aborted) return;
        say(status, readable(error), "bad");
        go.disabled = false;
        go.textContent = "Try again";
        go.focus();
      }
    };
    stop.onclick = dialog.oncancel = () => {
      touching.abort();
      dialog.close();
      reject(new Stopped());
    };
  });
}

/** Shows a one-time link until it was handed over. */
function handOver(link, text) {
  const dialog = document.getElementById("link");
  part(dialog, "text").textContent = text;
  part(dialog, "url").value = link;
  dialog.showModal();
  part(dialog, "url").select();
  return new Promise((resolve) => {
    part(dialog, "close").onclick = () => dialog.close();
    dialog.onclose = resolve;
  });
}

// Ceremonies

async function signIn() {
  const ceremony = await post("/api/sign-in/statement");
  return post("/api/sign-in", { ...(await touch(ceremony, "get")), grant: "cookie" });
}

const token = () => location.hash.slice(1) || undefined;

async function register(fields, secret) {
  const ceremony = await post("/api/keys/statement", { ...fields, token: secret });
  await post("/api/keys", { ...(await agree(ceremony, "create")), token: secret });
  return { text: `The key “${fields.label}” is registered.` };
}

/** Two touches: a key that is here allows a further one by a link, which registers by it. */
async function addKey(fields) {
  const ceremony = await post("/api/acts/statement", { act: "web.add_key" });
  const done = await post("/api/acts", await agree(ceremony, "get"));
  return register(fields, done.link.split("#")[1]);
}

const LINK_TEXTS = {
  "people.invite": "It works once. Send it so that only the person you invite can read it.",
  "hall.invite_agent": "It works once, within an hour. Give it to “hallway hall agent” on the machine that joins.",
  "partner.invite": "It is good for a week. Send it to the other realm’s owner, who gives it to their own gateway.",
  "web.add_key": "It works once, within a quarter of an hour. Open it on the computer or phone where the new key is, or give it to “hallway join”.",
  "people.recover": "It works once. Make sure that it is really them who asks, before you hand it over.",
};

export async function act(name, fields) {
  const ceremony = await post("/api/acts/statement", { act: name, ...fields });
  const done = await post("/api/acts", await agree(ceremony, "get"));
  if (done.link) await handOver(done.link, LINK_TEXTS[name] ?? "It works once.");
  return { text: "Signed, and in the log.", evidence: done.evidence, device: done.device };
}

async function claim({ code, name }) {
  const done = await act("device.claim", { code });
  // A name is no part of what is signed: it can change at any time without a touch.
  await post(`/api/devices/${done.device.id}/name`, { name });
  return { ...done, then: `/devices/${done.device.id}` };
}

async function lookUp(fields, form) {
  const found = await post("/api/devices/code", fields);
  const section = document.querySelector(form.dataset.shows);
  fill(section, { ...found, code: fields.code });
  section.hidden = false;
  section.focus();
}

export const FLOWS = {
  "sign-in": async (_fields, form) => {
    say(form.querySelector(".status"), "Touch your key now.");
    await signIn();
    return {};
  },
  register: (fields) => register(fields, token()),
  "add-key": addKey,
  "link-sign-in": async () => {
    await post("/api/join/sign-in", { token: token() });
    return {};
  },
  "look-up": lookUp,
  claim,
};

function task(form) {
  const { act: name, flow, post: path } = form.dataset;
  if (name) return (fields) => act(name, fields);
  if (flow) return FLOWS[flow];
  if (path) return async (fields) => (await post(path, fields), {});
  return undefined;
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  const run = task(form);
  if (!run) return;
  event.preventDefault();
  const status = form.querySelector(".status");
  const buttons = form.querySelectorAll("button");
  say(status, "");
  explain(status);
  buttons.forEach((button) => (button.disabled = true));
  try {
    const outcome = await run(Object.fromEntries(new FormData(form)), form);
    if (outcome) leave(outcome.then ?? form.dataset.then, outcome);
    else say(status, "");
  } catch (error) {
    say(status, error instanceof Stopped ? "" : readable(error), "bad");
    explain(status, error.steps);
  } finally {
    buttons.forEach((button) => (button.disabled = false));
  }
});

/** Goes on to the next page, which says what was done. */
function leave(then, outcome) {
  if (outcome.text) sessionStorage.setItem("outcome", JSON.stringify(outcome));
  if (then) location.replace(then);
  else location.reload();
}

function tellOutcome() {
  const outcome = JSON.parse(sessionStorage.getItem("outcome") ?? "null");
  sessionStorage.removeItem("outcome");
  if (!outcome) return;
  const notice = document.getElementById("notice");
  notice.classList.add("good");
  notice.textContent = `${outcome.text} `;
  if (outcome.evidence) {
    const link = document.createElement("a");
    link.href = `/evidence/${outcome.evidence}`;
    link.textContent = "Read the evidence";
    notice.append(link);
  }
  notice.hidden = false;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.querySelector(button.dataset.copy);
  source.select();
  try {
    await navigator.clipboard.writeText(source.value);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Press Ctrl+C to copy";
  }
});

// Times and sizes, as the server sets them

const SPANS = [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const distance = new Intl.RelativeTimeFormat("en", { numeric: "always" });
const exactly = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeStyle: "medium", timeZone: "UTC" });

export function setTime(element, ms) {
  element.dateTime = new Date(ms).toISOString();
  element.title = `${exactly.format(ms).replace(" at ", ", ")} UTC`;
  tellTime(element);
}

function tellTime(element) {
  const seconds = Math.round((Date.parse(element.dateTime) - Date.now()) / 1000);
  const span = SPANS.find(([, length]) => Math.abs(seconds) >= length);
  element.textContent =
    Math.abs(seconds) < 10 || !span ? "just now" : distance.format(Math.trunc(seconds / span[1]), span[0]);
}

setInterval(() => document.querySelectorAll("time[datetime]").forEach(tellTime), 30_000);

export function sized(bytes) {
  if (bytes < 1000) return `${bytes}\u00a0B`;
  const [unit, name] = bytes < 1e6 ? [1e3, "kB"] : bytes < 1e9 ? [1e6, "MB"] : [1e9, "GB"];
  return `${(Math.floor(bytes / (unit / 10)) / 10).toFixed(1)}\u00a0${name}`;
}

const grouped = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, "\u202f");

/** Puts values where the page names them. Only ever as text: none of it is markup. */
function fill(root, values) {
  for (const place of root.querySelectorAll("[data-field]")) {
    const value = values[place.dataset.field];
    if (value === undefined || value === null) continue;
    if (place instanceof HTMLTimeElement) setTime(place, value);
    else if (place instanceof HTMLInputElement) place.value = value;
    else place.textContent = value;
  }
}

// Pictures that the browser cannot show: words in their place instead of its broken icon

function tellNotShown(picture) {
  const words = picture.alt ? `${picture.alt} cannot be shown.` : picture.closest(".thumb") ? "No preview" : "";
  picture.replaceWith(...(words ? [Object.assign(document.createElement("span"), { className: "not-shown", textContent: words })] : []));
}

document.addEventListener("error", ({ target }) => target instanceof HTMLImageElement && tellNotShown(target), true);
// Those that failed before this script ran.
document.querySelectorAll("img").forEach((picture) => {
  if (picture.complete && picture.naturalWidth === 0) picture.decode().catch(() => tellNotShown(picture));
});

// What a one-time link is for

async function join(root) {
  const show = (purpose) =>
    root.querySelectorAll("[data-purpose]").forEach((section) => (section.hidden = section.dataset.purpose !== purpose));
  try {
    if (!token()) throw new Problem("The address has no one-time link in it.");
    const link = await post("/api/join/look", { token: token() });
    fill(root, link);
    show(link.purpose);
  } catch (error) {
    fill(root, { problem: readable(error) });
    show("none");
  }
}

// Transactions, as they arrive

function transactionRow(template, row) {
  const element = template.content.cloneNode(true).firstElementChild;
  fill(element, {
    device: row.device_name,
    file: row.file_name || row.evidence.slice(0, 12),
    sequence: grouped(row.sequence),
    size: sized(row.length),
    accepted: row.accepted_ms,
  });
  const addresses = { evidence: `/evidence/${row.evidence}`, device: `/devices/${row.device}` };
  for (const link of element.querySelectorAll("[data-href]")) link.href = addresses[link.dataset.href];
  const picture = element.querySelector(".thumb a");
  if (row.media_type === "image/jpeg") picture.firstElementChild.src = `/api/transactions/${row.evidence}/thumbnail`;
  else picture.remove();
  element.classList.add("fresh");
  return element;
}

function watch(place) {
  const table = document.getElementById("transactions");
  const template = document.getElementById("transaction");
  const mark = part(place, "live");
  const query = place.dataset.device ? `?device=${place.dataset.device}` : "";
  const state = (tone, word) => {
    mark.className = `mark ${tone}`;
    mark.textContent = word;
  };
  const add = (row) => {
    if (table.querySelector(`a[href="/evidence/${row.evidence}"]`)) return;
    const rows = table.tBodies[0];
    rows.prepend(transactionRow(template, row));
    while (rows.rows.length > 100) rows.lastElementChild.remove();
    table.hidden = false;
    document.getElementById("no-transactions").hidden = true;
  };
  const events = new EventSource(`${place.dataset.live}${query}`);
  events.onopen = async () => {
    state("good", "Live");
    // The stream begins now: what came since the page was made, or while the connection was lost.
    const newest = await fetch(`/api/transactions${query}`).catch(() => undefined);
    if (newest?.ok) (await newest.json()).items.reverse().forEach(add);
  };
  events.onerror = () => state("warning", "Not live: the connection is lost, and tried again");
  events.addEventListener("transaction", (event) => add(JSON.parse(event.data)));
  addEventListener("pagehide", () => events.close());
}

tellOutcome();
document.querySelectorAll("[data-join]").forEach(join);
document.querySelectorAll("[data-live]").forEach(watch);
