// Halls: admissions and what they demand, invitations of agents, openings that wait for approval, who is inside and what flows.

import { FLOWS, act, part, sized } from "/static/console.js";

// Admissions: their fields are no plain members of the act

const admitted = ({ guest, person, role, visitor }) => {
  // REALM/person/ID or REALM/role/ROLE
  const [realm, whom, who] = (visitor ?? guest?.match(/^visitor:(.*)$/)?.[1] ?? "").split("/");
  if (realm) return { visitor: { realm, whom: whom === "role" ? { role: who } : { person: { id: who } } } };
  const [kind, value] = guest ? guest.split(":") : person ? ["person", person] : ["role", role];
  return { [kind]: value };
};

FLOWS["admit-guest"] = ({ hall, rights, ...fields }) => {
  const demanded = ["key", "approval", "hours"].map((need) => [need, fields[`needs-${need}`]?.trim()]);
  const needs = Object.fromEntries(demanded.filter(([, value]) => value));
  return act("hall.admit", { hall, guest: admitted(fields), rights: rights.trim().split(/[\s,]+/), needs });
};

const named = (text) => text.split(/[\s,]+/).filter(Boolean);

FLOWS["invite-agent"] = ({ hall, agent, stores, services }) =>
  act("hall.invite_agent", { hall, agent, stores: named(stores), services: named(services) });

FLOWS["dismiss-guest"] = ({ hall, ...who }) => act("hall.dismiss", { hall, guest: admitted(who) });

// An opening that waits: the page is loaded again when that is over

const WAITS_MS = 2000;

function wait(notice) {
  const timer = setInterval(async () => {
    const answer = await fetch(notice.dataset.waits).catch(() => undefined);
    if (!answer?.ok || (await answer.json())?.state === "waiting") return;
    clearInterval(timer);
    location.reload();
  }, WAITS_MS);
}

// Who is inside, once a second

const SAMPLES = 60;

/** One more cell; narrow screens show its label. */
export function cell(row, label, text, kind = "number") {
  const td = row.insertCell();
  td.dataset.label = label;
  td.className = kind;
  td.textContent = text;
}

function endButton(row, ends) {
  const form = document.createElement("form");
  form.method = "post";
  if (row.own) form.dataset.post = `/api/grants/${row.grant}/end`;
  else if (ends) form.dataset.act = "hall.end";
  else return "";
  const grant = Object.assign(document.createElement("input"), { type: "hidden", name: "grant", value: row.grant });
  const button = Object.assign(document.createElement("button"), { type: "submit", textContent: "End" });
  button.setAttribute("aria-label", `End the grant of ${row.name}`);
  const status = Object.assign(document.createElement("p"), { className: "status", role: "status" });
  form.append(...(row.own ? [] : [grant]), button, status);
  return form;
}

function follow(section) {
  const table = part(section, "table");
  const rates = [];
  let before;
  const draw = () => {
    const peak = Math.max(1, ...rates.flat());
    const line = (which) =>
      rates
        .map((rate, at) => {
          const x = ((SAMPLES - rates.length + at) / (SAMPLES - 1)) * 600;
          return `${at ? "L" : "M"}${x.toFixed(1)} ${(78 - (rate[which] / peak) * 74).toFixed(1)}`;
        })
        .join("");
    part(section, "in").setAttribute("d", line(0));
    part(section, "out").setAttribute("d", line(1));
    const [received, sent] = rates.at(-1);
    part(section, "rate-in").textContent = `${sized(Math.round(received))}/s`;
    part(section, "rate-out").textContent = `${sized(Math.round(sent))}/s`;
    part(section, "peak").textContent = `${sized(Math.round(Math.max(0, ...rates.flat())))}/s`;
  };
  const show = (rows) => {
    const body = table.tBodies[0];
    const gone = new Map([...body.rows].map((row) => [row.dataset.grant, row]));
    for (const row of rows) {
      let place = gone.get(row.grant);
      gone.delete(row.grant);
      if (!place) {
        place = body.insertRow();
        place.dataset.grant = row.grant;
      }
      const values = [row.home ? `${row.name} of ${row.home}` : row.name, String(row.streams), sized(row.received), sized(row.sent)];
      if (place.cells.length < 5 || !place.dataset.live) {
        place.replaceChildren();
        cell(place, "Who", values[0], "");
        ["Streams", "From them", "To them"].forEach((label, at) => cell(place, label, values[at + 1]));
        const acts = place.insertCell();
        acts.className = "acts";
        acts.append(endButton(row, "ends" in section.dataset));
        place.dataset.live = "yes";
      }
      values.forEach((value, at) => (place.cells[at].textContent = value));
    }
    gone.forEach((row) => row.remove());
    table.hidden = rows.length === 0;
    part(section, "nobody").hidden = rows.length > 0;
    part(section, "flow").hidden = rows.length === 0 && !rates.flat().some(Boolean);
  };
  const mark = part(section, "live");
  const state = (tone, word) => {
    mark.className = `mark ${tone}`;
    mark.textContent = word;
  };
  const events = new EventSource(section.dataset.inside);
  events.onopen = () => state("good", "Live");
  events.onerror = () => state("warning", "Not live: the connection is lost, and tried again");
  events.addEventListener("inside", (event) => {
    const rows = JSON.parse(event.data);
    const now = { at: event.timeStamp, flows: new Map(rows.map((row) => [row.grant, row])) };
    if (before) {
      const seconds = Math.max(0.1, (now.at - before.at) / 1000);
      const grown = (which) =>
        rows.reduce((sum, row) => sum + Math.max(0, row[which] - (before.flows.get(row.grant)?.[which] ?? 0)), 0);
      rates.push([grown("received") / seconds, grown("sent") / seconds]);
      if (rates.length > SAMPLES) rates.shift();
      draw();
    }
    before = now;
    show(rows);
  });
  addEventListener("pagehide", () => events.close());
}

document.querySelectorAll("[data-inside]").forEach(follow);
document.querySelectorAll("[data-waits]").forEach(wait);
