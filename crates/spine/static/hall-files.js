// The files of a store: listing, previews, uploads that go on after an interruption.

import { Problem, asSentence, part, readable, say, setTime, sized } from "/static/console.js";
import { cell } from "/static/halls.js";

// Asking, in a dialog of the page

function ask(title, yes, label, value = "") {
  const dialog = document.getElementById("question");
  const input = dialog.querySelector("input");
  part(dialog, "title").textContent = title;
  part(dialog, "yes").textContent = yes;
  part(dialog, "yes").className = label ? "primary" : "grave";
  part(dialog, "field").hidden = !label;
  part(dialog, "label").textContent = label ?? "";
  input.value = value;
  input.required = Boolean(label);
  dialog.returnValue = "";
  dialog.showModal();
  if (label) input.select();
  return new Promise((resolve) => {
    dialog.onclose = () => resolve(dialog.returnValue === "yes" ? (label ? input.value.trim() : true) : undefined);
  });
}

// Files

const PICTURES = /\.(png|jpe?g|gif|webp|avif|bmp|ico)$/i;
const TEXTS = /\.(txt|md|csv|tsv|json|jsonl|log|toml|ya?ml|xml|html?|css|js|ts|rs|py|sh|c|h|sql|ini|conf|diff|pem)$/i;
const TEXT_BYTES = 256 * 1024;
const SLICE = 4 * 1024 * 1024;
const TRIES = 5;
/** What may go away when the same is asked again: the network, or a gateway, an agent or a store that is away or busy. */
const PASSING = new Set([408, 429, 502, 503, 504]);

/** A request for files; an answer that refuses, which is wanted in JSON, is an error. */
async function send(url, options = {}) {
  let response;
  try {
    response = await fetch(url, { ...options, headers: { accept: "application/json", ...options.headers } });
  } catch {
    throw Object.assign(new Problem("The connection was lost.", "lost"), { passing: true });
  }
  if (response.ok) return response;
  const answer = await response.json().catch(() => ({}));
  const problem = new Problem(asSentence(answer.detail ?? `The gateway answered ${response.status}`), answer.code);
  throw Object.assign(problem, { status: response.status, passing: PASSING.has(response.status) });
}

/** Whether it can be one segment of an address: "." and ".." would leave the folder. */
const isName = (name) => name !== "" && name !== "." && name !== ".." && !name.includes("/");

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

class Files {
  constructor(root) {
    this.root = root;
    this.base = root.dataset.files;
    this.may = new Set(root.dataset.may.split(" "));
    this.part = (name) => part(root, name);
    root.querySelectorAll("[data-needs]").forEach((tool) => (tool.hidden = !this.may.has(tool.dataset.needs)));
    this.part("more").onclick = () => this.list(this.next);
    this.part("new-folder").onclick = () => this.makeFolder();
    this.part("pick").onchange = (event) => {
      this.upload([...event.target.files]);
      event.target.value = "";
    };
    addEventListener("popstate", () => this.list());
    if (this.may.has("write")) this.takeDrops();
    this.list();
  }

  /** The folder that is shown, as segments: it stands in the page's address. */
  get folder() {
    return (new URLSearchParams(location.search).get("in") ?? "").split("/").filter(isName);
  }

  url(segments) {
    return [this.base, ...segments.map(encodeURIComponent)].join("/");
  }

  go(segments) {
    const query = segments.length ? `?in=${encodeURIComponent(segments.join("/"))}` : location.pathname;
    history.pushState(null, "", query);
    this.list();
  }

  tell(text, tone = "") {
    say(this.part("status"), text, tone);
  }

  /** Does what can fail, says so when it does. */
  async attempt(work) {
    this.tell("");
    try {
      await work();
    } catch (error) {
      this.tell(readable(error), "bad");
    }
  }

  list(after) {
    return this.attempt(async () => {
      const folder = this.folder;
      const query = after ? `?after=${encodeURIComponent(after)}` : "";
      const response = await send(this.url(folder) + query, { headers: { accept: "application/json" } });
      const page = await response.json();
      const body = this.part("table").tBodies[0];
      if (!after) {
        body.replaceChildren();
        this.showPlace(folder);
      }
      // What a browser would not ask for as it is written leads elsewhere.
      page.entries.filter(({ name }) => isName(name)).forEach((entry) => body.append(this.row(folder, entry)));
      this.next = page.next;
      this.part("more").hidden = !page.next;
      this.part("table").hidden = body.rows.length === 0;
      this.part("nothing").hidden = body.rows.length > 0;
    });
  }

  showPlace(folder) {
    const steps = ["All files", ...folder].map((name, at) => {
      const target = folder.slice(0, at);
      return at === folder.length ? name : this.button(name, "plain", () => this.go(target));
    });
    this.part("place").replaceChildren(...steps.flatMap((step, at) => (at ? [" / ", step] : [step])));
  }

  button(text, kind, run, label) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: text, className: kind });
    if (label) button.setAttribute("aria-label", label);
    button.onclick = run;
    return button;
  }

  row(folder, entry) {
    const row = document.createElement("tr");
    row.dataset.name = entry.name;
    const path = [...folder, entry.name];
    const isFolder = entry.kind === "folder";
    const open = () => (isFolder ? this.go(path) : this.preview(path, entry));
    const name = row.insertCell();
    name.dataset.label = isFolder ? "Folder" : "File";
    name.append(this.button(isFolder ? `${entry.name}/` : entry.name, `plain${isFolder ? " folder" : ""}`, open));
    cell(row, "Size", isFolder ? "" : sized(entry.bytes));
    const changed = row.insertCell();
    changed.dataset.label = "Changed";
    changed.className = "when";
    if (entry.modified_ms !== undefined) {
      changed.append(document.createElement("time"));
      setTime(changed.firstChild, entry.modified_ms);
    }
    const acts = row.insertCell();
    acts.className = "acts";
    if (!isFolder) acts.append(this.download(path, entry.name));
    if (this.may.has("write") && this.may.has("delete")) {
      acts.append(this.button("Rename", "plain", () => this.rename(path), `Rename ${entry.name}`));
    }
    if (this.may.has("delete")) {
      acts.append(this.button("Delete", "plain", () => this.remove(path, isFolder), `Delete ${entry.name}`));
    }
    return row;
  }

  download(path, name) {
    const link = Object.assign(document.createElement("a"), { href: this.url(path), download: name, textContent: "Download" });
    link.setAttribute("aria-label", `Download ${name}`);
    return link;
  }

  preview(path, entry) {
    return this.attempt(async () => {
      const dialog = document.getElementById("preview");
      const content = part(dialog, "content");
      const address = this.url(path);
      part(dialog, "name").textContent = entry.name;
      Object.assign(part(dialog, "download"), { href: address, download: entry.name });
      part(dialog, "close").onclick = () => dialog.close();
      if (PICTURES.test(entry.name)) {
        const picture = Object.assign(document.createElement("img"), { src: address, alt: entry.name });
        content.replaceChildren(picture);
      } else if (TEXTS.test(entry.name) || entry.bytes === 0) {
        const range = entry.bytes > TEXT_BYTES ? { range: `bytes=0-${TEXT_BYTES - 1}` } : {};
        const text = await (await send(address, { headers: range })).text();
        const pre = Object.assign(document.createElement("pre"), { textContent: text, tabIndex: 0 });
        const rest = Object.assign(document.createElement("p"), { className: "soft" });
        rest.textContent = entry.bytes > TEXT_BYTES ? `The first ${sized(TEXT_BYTES)} of ${sized(entry.bytes)}.` : "";
        content.replaceChildren(pre, rest);
      } else {
        const none = Object.assign(document.createElement("p"), { textContent: `${sized(entry.bytes)} that this page cannot show.` });
        content.replaceChildren(none);
      }
      dialog.showModal();
    });
  }

  change(path, body) {
    return send(this.url(path), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  }

  async rename(path) {
    const name = await ask(`Rename ${path.at(-1)}`, "Rename", "New name", path.at(-1));
    if (!name || name === path.at(-1)) return;
    await this.attempt(async () => {
      const to = [...path.slice(0, -1), name].map(encodeURIComponent).join("/");
      await this.change(path, { kind: "rename", to });
      await this.list();
    });
  }

  async makeFolder() {
    const name = await ask("New folder", "Make it", "Its name");
    if (!name) return;
    await this.attempt(async () => {
      await this.change([...this.folder, name], { kind: "make_folder" });
      await this.list();
    });
  }

  async remove(path, isFolder) {
    const what = isFolder ? `the folder ${path.at(-1)} and all that is in it` : path.at(-1);
    if (!(await ask(`Delete ${what}?`, "Delete"))) return;
    await this.attempt(async () => {
      await send(this.url(path), { method: "DELETE" });
      await this.list();
    });
  }

  takeDrops() {
    const page = document.body;
    const holdsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
    page.addEventListener("dragover", (event) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      this.root.classList.add("dropping");
    });
    page.addEventListener("dragleave", (event) => {
      if (!event.relatedTarget) this.root.classList.remove("dropping");
    });
    page.addEventListener("drop", (event) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      this.root.classList.remove("dropping");
      this.upload([...event.dataTransfer.files]);
    });
  }

  async upload(files) {
    const folder = this.folder;
    const present = new Set([...this.part("table").tBodies[0].rows].map((row) => row.dataset.name));
    const there = [];
    for (const file of files) {
      if (present.has(file.name) && !(await ask(`Replace ${file.name}?`, "Replace"))) continue;
      if (await new Upload(this, [...folder, file.name], file).run()) there.push(file.name);
    }
    await this.arrived(there);
  }

  async arrived(names) {
    await this.list();
    if (names.length) this.tell(`${names.join(", ")} ${names.length === 1 ? "is" : "are"} there.`);
  }
}

/** One file on its way, in slices: after an interruption it goes on where the gateway stands. */
class Upload {
  constructor(files, path, file) {
    Object.assign(this, { files, path, file });
    this.key = `upload ${files.url(path)} ${file.size} ${file.lastModified}`;
    this.place = document.createElement("li");
    this.bar = Object.assign(document.createElement("progress"), { max: Math.max(1, file.size), value: 0 });
    this.bar.setAttribute("aria-label", `Progress of ${file.name}`);
    this.words = Object.assign(document.createElement("span"), { className: "number soft" });
    this.stop = files.button("Stop", "plain", () => this.stopping.abort(), `Stop ${file.name}`);
    this.note = document.createElement("p");
    const name = Object.assign(document.createElement("span"), { className: "wrap", textContent: file.name });
    this.place.append(name, this.bar, this.stop, this.words, this.note);
    files.part("uploads").append(this.place);
  }

  show(offset) {
    this.bar.value = offset;
    this.words.textContent = `${sized(offset)} of ${sized(this.file.size)}`;
  }

  /** Sends it; tells whether it is there. */
  async run() {
    this.stopping = new AbortController();
    this.stop.textContent = "Stop";
    this.stop.onclick = () => this.stopping.abort();
    this.note.textContent = "";
    try {
      await this.transfer();
      localStorage.removeItem(this.key);
      this.place.remove();
      return true;
    } catch (error) {
      const stopped = this.stopping.signal.aborted;
      this.note.textContent = stopped ? "Stopped. What was sent is kept for a while." : readable(error);
      this.stop.textContent = "Resume";
      this.stop.onclick = () => this.run().then((there) => there && this.files.arrived([this.file.name]));
      return false;
    }
  }

  /** The address of the upload; its id is remembered, so that a reloaded page finds it again. */
  address(id) {
    return `${this.files.url(this.path)}?upload=${id}`;
  }

  async transfer() {
    let id = localStorage.getItem(this.key);
    let offset = id ? await this.standing(id) : undefined;
    if (offset === undefined) {
      id = crypto.randomUUID();
      localStorage.setItem(this.key, id);
      offset = 0;
    }
    let tries = 0;
    do {
      this.show(offset);
      const end = Math.min(offset + SLICE, this.file.size);
      try {
        await this.slice(id, offset, end);
        offset = end;
        tries = 0;
      } catch (error) {
        const passing = error.passing || error.code === "mismatching-upload-offset" || error.code === "broken-off";
        if (!passing || this.stopping.signal.aborted || ++tries > TRIES) throw error;
        this.note.textContent = `${readable(error)} Trying again.`;
        await pause(500 * 2 ** tries);
        try {
          const standing = await this.standing(id);
          // It may be in its place already, and only the answer that said so was lost.
          if (standing === undefined && end === this.file.size && (await this.isThere())) offset = end;
          else offset = standing ?? 0;
        } catch {
          // Not yet.
        }
        this.note.textContent = "";
      }
    } while (offset < this.file.size);
    this.show(offset);
  }

  /** Where the gateway stands with an upload; nothing if it knows of none. */
  async standing(id) {
    try {
      const response = await send(this.address(id), { method: "HEAD" });
      return Number(response.headers.get("upload-offset"));
    } catch (error) {
      if (error.status === 404) return undefined;
      throw error;
    }
  }

  /** Whether the file has taken its place, by its size and time. */
  async isThere() {
    const { ok, headers } = await fetch(this.files.url(this.path), { method: "HEAD" });
    const changed = Math.floor(Date.parse(headers.get("last-modified")) / 1000);
    const isSame = Number(headers.get("content-length")) === this.file.size;
    return ok && isSame && changed === Math.floor(this.file.lastModified / 1000);
  }

  slice(id, offset, end) {
    const last = end === this.file.size;
    const headers = {
      "content-type": "application/partial-upload",
      "upload-offset": String(offset),
      "upload-complete": last ? "?1" : "?0",
    };
    if (last) {
      headers["upload-length"] = String(this.file.size);
      headers["x-oc-mtime"] = String(this.file.lastModified / 1000);
    }
    return send(this.address(id), {
      method: "PATCH",
      headers,
      body: this.file.slice(offset, end),
      signal: this.stopping.signal,
    });
  }
}

document.querySelectorAll("[data-files]").forEach((root) => new Files(root));
