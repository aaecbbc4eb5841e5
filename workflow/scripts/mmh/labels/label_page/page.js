"use strict";
// The labelling page. It reads its pairs from the JSON in the page, keeps labels in localStorage under the hash
// of the sheet and the rater's name, and hands them out as a CSV. All text is set as text, never as markup.
(() => {
  const $ = (id) => document.getElementById(id);
  const sheet = JSON.parse($("data").textContent);
  $("data").remove();
  const { pairs, images } = sheet;
  const total = pairs.length;
  const placeOf = new Map(pairs.map((pair, k) => [pair.pair, k]));

  const CLASSES = [
    ["exact", "Exactly memorized", "Exact", "\u25CF",
      "the same image up to noise, blur or a shift by a pixel or two"],
    ["reconstructive", "Reconstructively memorized", "Reconstructive", "\u25A0",
      "clearly the same source image, partly changed: same object, background or layout, other parts differ"],
    ["not_memorized", "Not memorized", "Not memorized", "\u25B3",
      "a different image, though it may be of the same kind, pose or colours"],
    ["unsure", "Unsure", "Unsure", "?", "you cannot tell; it will be left out of every comparison"],
  ];
  const NAMES = CLASSES.map(([key]) => key);
  const nameOf = (label) => (label ? CLASSES[NAMES.indexOf(label)][1].toLowerCase() : "no label");
  const COLUMNS = ["pair", "sample", "train", "label", "rater", "time", "blind", "page_version", "sheet"];
  const SECONDS = 5; // per pair, before this rater's own pace is known
  const ZOOMS = [0.125, 0.25, 0.5, 0.75, 1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32];
  const VIEWS = ["stacked", "beside", "flicker", "difference"];
  const GAINS = [1, 4, 16];
  const FLICKER = 450; // ms; slower than three changes a second, which could harm
  const STORE = `mmh-labels:${sheet.sheet}:`;
  const calm = matchMedia("(prefers-reduced-motion: reduce)");

  // ---------------------------------------------------------------- what is kept

  const opened = new Set(); // raters of this visit
  let store = null; // localStorage, or a Map where the browser gives none
  try {
    window.localStorage.setItem("mmh-labels-probe", "1");
    window.localStorage.removeItem("mmh-labels-probe");
    store = window.localStorage;
  } catch {
    forgetful();
  }

  function forgetful() {
    const memory = new Map();
    store = {
      getItem: (key) => memory.get(key) ?? null,
      setItem: (key, value) => memory.set(key, value),
      key: (k) => [...memory.keys()][k],
      get length() { return memory.size; },
    };
    notice("This browser keeps nothing on disk, so a reload forgets your labels: save the CSV before you close " +
      "the page, and import it to go on.");
  }

  const fresh = () => ({ labels: {}, history: [], at: 0, seen: {}, view: "stacked", unsaved: false, pace: [] });

  let rater = "";
  let state = fresh();

  function load(name) {
    let found = null;
    try {
      found = JSON.parse(store.getItem(STORE + name));
    } catch {
      notice("What this browser had kept for you cannot be read; import your last CSV to go on.");
    }
    const loaded = Object.assign(fresh(), found);
    loaded.at = Math.min(Math.max(0, loaded.at | 0), total - 1);
    return loaded;
  }

  function save() {
    const text = JSON.stringify(state);
    try {
      store.setItem(STORE + rater, text);
    } catch { // full
      forgetful();
      store.setItem(STORE + rater, text);
    }
  }

  function knownRaters() {
    const keys = Array.from({ length: store.length }, (_, k) => store.key(k));
    return keys.filter((key) => key.startsWith(STORE)).map((key) => key.slice(STORE.length)).sort();
  }

  // ---------------------------------------------------------------- small helpers

  function notice(text) {
    $("notice").textContent = text;
    $("notice").hidden = false;
  }

  const say = (text) => { $("live").textContent = text; };
  const button = (act) => document.querySelector(`[data-act=${act}]`);

  function make(tag, text = "", attributes = {}) {
    const element = document.createElement(tag);
    element.textContent = text;
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  }

  const cleanName = (text) =>
    text.normalize("NFC").replace(/[\p{C}\p{Z}\s]+/gu, " ").trim().slice(0, 60).trim();
  const count = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
  const labelled = () => Object.keys(state.labels).length;
  const labelAt = (k) => state.labels[pairs[k].pair]?.label;

  function estimate(seconds) {
    if (seconds < 55) return "less than a minute";
    const minutes = Math.round(seconds / 60);
    if (minutes < 60) return `about ${count(minutes, "minute")}`;
    return `about ${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
  }

  function secondsLeft() {
    const pace = [...state.pace].sort((a, b) => a - b);
    return (total - labelled()) * (pace.length < 5 ? SECONDS : pace[Math.floor(pace.length / 2)] / 1000);
  }

  // ---------------------------------------------------------------- images, decoded ahead

  const decoded = new Map(); // role and index -> img, oldest first

  function image(role, pair) {
    const index = role === "generated" ? pair.generated : pair.match;
    const key = `${role}${index}`;
    const element = decoded.get(key) ?? new Image();
    decoded.delete(key);
    decoded.set(key, element);
    if (!element.src) {
      element.draggable = false;
      element.src = images[index];
      const broken = "An image of this pair cannot be shown; leave the pair unlabelled and report it.";
      element.decode().then(() => element.isConnected && layout(), () => element.isConnected && notice(broken));
    }
    return element;
  }

  function preload() {
    const ahead = [nextUnlabelled(state.at), state.at - 1];
    for (let k = 1; k <= 4; k += 1) ahead.push(state.at + k);
    for (const pair of ahead.map((k) => pairs[k]).filter(Boolean)) {
      image("generated", pair);
      image("match", pair);
    }
    for (const [key, element] of decoded) {
      if (decoded.size > 32 && !element.isConnected) decoded.delete(key);
    }
  }

  // ---------------------------------------------------------------- showing a pair

  let zoom = 0; // 0: fit
  let scale = 1; // what is on the screen
  const pan = { x: 0, y: 0 };
  let gain = 0;
  let showScores = false;
  let flickerTimer = 0;
  let shownSince = performance.now();
  let origin = -1; // where the rater was before looking at the other match of a sample

  function pane(caption, ...content) {
    const figure = make("figure", "", { class: "pane" });
    const frame = make("div", "", { class: "frame" });
    frame.append(...content);
    figure.append(make("figcaption", caption), frame);
    return figure;
  }

  function show() {
    const pair = pairs[state.at];
    const generated = image("generated", pair);
    const match = image("match", pair);
    generated.alt = `Generated image of pair ${state.at + 1}`;
    match.alt = `Training image of pair ${state.at + 1}`;
    for (const element of [generated, match]) element.classList.remove("away");
    if (showScores) state.seen[pair.pair] = 1;

    clearInterval(flickerTimer);
    $("stage").dataset.view = state.view;
    const panes = $("panes");
    if (state.view === "flicker") {
      panes.replaceChildren(pane("", generated, match));
      flip(false);
      if (!calm.matches) flickerTimer = setInterval(flip, FLICKER);
    } else {
      const parts = [pane("Generated", generated), pane("Training", match)];
      if (state.view === "difference") {
        parts.push(pane(`Difference \u00D7${GAINS[gain]}`,
          make("canvas", "", { role: "img", "aria-label": "Difference of the two images" })));
      }
      panes.replaceChildren(...parts);
    }
    layout();
    describe(pair);
    preload();
  }

  function describe(pair) {
    const label = state.labels[pair.pair]?.label;
    const look = CLASSES.find(([key]) => key === label);
    const done = labelled();
    $("position").textContent = `Pair ${state.at + 1} of ${total}`;
    $("given").textContent = look ? `${look[3]} ${look[1]}` : "no label yet";
    $("given").className = label ? `tone ${label}` : "";
    for (const choice of $("labels").children) choice.setAttribute("aria-pressed", choice.dataset.label === label);
    for (const choice of $("views").children) choice.setAttribute("aria-pressed", choice.dataset.view === state.view);
    $("gain").hidden = state.view !== "difference";
    $("gain").textContent = `Gain \u00D7${GAINS[gain]}`;
    $("swap").hidden = state.view !== "flicker";
    $("other").disabled = otherMatch() < 0;
    button("undo").disabled = !state.history.length;
    button("back").disabled = state.at === 0;
    button("forward").disabled = state.at === total - 1;
    button("unlabelled").disabled = done === total;
    $("scores-switch").setAttribute("aria-checked", String(showScores));
    $("scores").hidden = !showScores;
    const number = (value) => (value === null ? "not retrieved" : value.toPrecision(3));
    const by = { both: "both distances", sscd: "SSCD", calibrated_l2: "calibrated l2" }[pair.by];
    const both = `SSCD distance ${number(pair.sscd)} \u00B7 calibrated l2 ${number(pair.calibrated_l2)}`;
    $("scores").textContent = showScores ? `${both} \u00B7 listed by ${by}` : "";
    $("bar").setAttribute("aria-valuenow", done);
    $("bar").firstElementChild.style.width = `${100 * done / total}%`;
    const left = done === total ? "all done" : `${estimate(secondsLeft())} left`;
    $("counts").textContent = `${done} of ${total} \u00B7 ${left}`;
    $("unsaved").hidden = !state.unsaved;
  }

  function layout() {
    const panes = $("panes");
    const frames = [...panes.querySelectorAll(".frame")];
    const first = panes.querySelector("img");
    if (!first?.naturalWidth) return;
    const [w, h] = [first.naturalWidth, first.naturalHeight];
    // Of three panes in a row or in a column, take what leaves more room for the images.
    const [W, H, n] = [panes.clientWidth, panes.clientHeight, frames.length];
    const rows = state.view === "difference"
      ? Math.min(W / w, H / n / h) > Math.min(W / n / w, H / h) : state.view === "stacked";
    panes.classList.toggle("rows", rows);
    const [room, height] = [frames[0].clientWidth, frames[0].clientHeight];
    const fitting = Math.min(room / w, height / h);
    scale = zoom || (fitting >= 1 ? Math.floor(fitting) : fitting);
    panes.style.setProperty("--half", `${w * scale / 2}px`);
    $("zoom").textContent = zoom ? `${+(100 * scale).toFixed(1)}%` : "Fit";
    for (const [axis, most] of [["x", (w * scale - room) / 2 + 24], ["y", (h * scale - height) / 2 + 24]]) {
      pan[axis] = zoom && most > 0 ? Math.min(most, Math.max(-most, pan[axis])) : 0;
    }
    for (const frame of frames) {
      for (const item of frame.children) {
        item.style.width = `${w * scale}px`;
        item.style.height = `${h * scale}px`;
        item.style.left = `${Math.round((frame.clientWidth - w * scale) / 2 + pan.x)}px`;
        item.style.top = `${Math.round((frame.clientHeight - h * scale) / 2 + pan.y)}px`;
        item.classList.toggle("pixelated", scale >= 1);
      }
    }
    const canvas = panes.querySelector("canvas");
    if (canvas) drawDifference(canvas, w, h);
  }

  function drawDifference(canvas, w, h) {
    const pixels = [...$("panes").querySelectorAll("img")].map((element) => {
      const sketch = make("canvas");
      [sketch.width, sketch.height] = [w, h];
      const context = sketch.getContext("2d", { willReadFrequently: true });
      if (element.complete && element.naturalWidth) context.drawImage(element, 0, 0, w, h);
      return context.getImageData(0, 0, w, h);
    });
    const [a, b] = pixels.map((found) => found.data);
    for (let k = 0; k < a.length; k += 1) {
      if (k % 4 !== 3) a[k] = Math.min(255, GAINS[gain] * Math.abs(a[k] - b[k]));
    }
    [canvas.width, canvas.height] = [w, h];
    canvas.getContext("2d").putImageData(pixels[0], 0, 0);
  }

  function flip(toMatch) {
    if (state.view !== "flicker") return;
    const [generated, match] = $("panes").querySelectorAll("img");
    const other = typeof toMatch === "boolean" ? toMatch : match.classList.contains("away");
    generated.classList.toggle("away", other);
    match.classList.toggle("away", !other);
    $("panes").querySelector("figcaption").textContent = other ? "Training" : "Generated";
    $("swap").textContent = `Swap to ${other ? "generated" : "training"}`;
  }

  function go(k) {
    if (k < 0 || k >= total) return;
    state.at = k;
    shownSince = performance.now();
    save();
    show();
  }

  // The next pair with this label, around the end to `from` itself; -1 if there is none.
  const nextWith = (label, from) =>
    pairs.map((_, k) => (from + 1 + k) % total).find((k) => labelAt(k) === label) ?? -1;
  const nextUnlabelled = (from) => nextWith(undefined, from);

  function otherMatch() {
    const here = pairs[state.at];
    return pairs.findIndex((pair, k) => k !== state.at && pair.sample === here.sample);
  }

  // ---------------------------------------------------------------- labelling

  function give(label) {
    const pair = pairs[state.at];
    const shown = [...$("panes").querySelectorAll("img")];
    if (!shown.every((element) => element.complete && element.naturalWidth)) {
      return say("The images of this pair are not there yet.");
    }
    const was = labelled();
    state.history.push([pair.pair, state.labels[pair.pair] ?? null]);
    state.labels[pair.pair] = {
      label,
      time: new Date().toISOString().replace(/\.\d+Z$/, "Z"),
      blind: state.seen[pair.pair] ? "no" : "yes",
      version: sheet.version,
    };
    state.unsaved = true;
    state.pace = [...state.pace, Math.min(60000, Math.round(performance.now() - shownSince))].slice(-40);
    const from = state.at;
    let next = nextUnlabelled(from);
    if (origin >= 0 && !labelAt(origin)) next = origin;
    origin = -1;
    go(next >= 0 ? next : Math.min(from + 1, total - 1));
    say(`Pair ${from + 1}: ${nameOf(label)}. Now pair ${state.at + 1} of ${total}, ${nameOf(labelAt(state.at))}.`);
    if (was < total && labelled() === total) summary();
  }

  function undo() {
    const last = state.history.pop();
    if (!last) return say("There is nothing to undo.");
    const [id, before] = last;
    delete state.labels[id];
    if (before) state.labels[id] = before;
    state.unsaved = true;
    origin = -1;
    go(placeOf.get(id));
    say(`Undone. Pair ${state.at + 1} of ${total}, ${nameOf(labelAt(state.at))}.`);
  }

  function move(k) {
    if (k < 0 || k >= total) return;
    origin = -1;
    go(k);
    say(`Pair ${k + 1} of ${total}, ${nameOf(labelAt(k))}.`);
  }

  function zoomBy(step) {
    const larger = ZOOMS.find((z) => z > scale + 1e-6) ?? ZOOMS.at(-1);
    const smaller = ZOOMS.findLast((z) => z < scale - 1e-6) ?? ZOOMS[0];
    zoom = step > 0 ? larger : step < 0 ? smaller : 0;
    layout();
  }

  function panBy(x, y) {
    [pan.x, pan.y] = [pan.x + x, pan.y + y];
    layout();
  }

  function setView(view) {
    state.view = view;
    save();
    show();
    say(`View: ${view}.`);
  }

  const ACTS = {
    back: () => move(state.at - 1),
    forward: () => move(state.at + 1),
    undo,
    unlabelled: () => move(nextUnlabelled(state.at)),
    unsure: () => { $("summary").close(); move(nextWith("unsure", state.at)); },
    other: () => {
      const other = otherMatch();
      if (other < 0) return say("This sample has one match on this sheet.");
      const from = origin >= 0 ? -1 : state.at;
      move(other);
      origin = from;
    },
    larger: () => zoomBy(1),
    smaller: () => zoomBy(-1),
    fit: () => zoomBy(0),
    gain: () => {
      gain = (gain + 1) % GAINS.length;
      show();
    },
    swap: () => {
      clearInterval(flickerTimer);
      flip();
    },
    view: () => setView(VIEWS[(VIEWS.indexOf(state.view) + 1) % VIEWS.length]),
    scores: () => {
      showScores = !showScores;
      show();
      save();
      say(showScores ? "Distances are shown; labels given now are noted as not blind." : "Distances are hidden.");
    },
    help: () => $("help").showModal(),
    summary,
    export: saveFile,
    close: () => $("summary").close(),
    import: () => $("file").click(),
    leave: begin,
  };
  const KEYS = {
    ArrowLeft: "back", ArrowRight: "forward", Backspace: "undo", z: "undo", n: "unlabelled", m: "other",
    "+": "larger", "=": "larger", "-": "smaller", 0: "fit", g: "gain", " ": "swap", v: "view", e: "summary",
    "?": "help", h: "help",
  };
  const LABEL_KEYS = { 1: "exact", 2: "reconstructive", 3: "not_memorized", 4: "unsure", u: "unsure" };
  const VIEW_KEYS = { s: "stacked", b: "beside", f: "flicker", d: "difference" };
  const PANS = { ArrowLeft: [48, 0], ArrowRight: [-48, 0], ArrowUp: [0, 48], ArrowDown: [0, -48] };

  document.addEventListener("keydown", (event) => {
    if ($("work").hidden || document.querySelector("dialog[open]") || event.target.matches("input, textarea")) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key === " " && event.target.matches("button")) return; // Space presses the button
    if (event.key.length === 1 && !$("single-keys").checked) return;
    if (event.shiftKey && PANS[key]) {
      panBy(...PANS[key]);
    } else if (Object.hasOwn(LABEL_KEYS, key)) {
      if (!event.repeat) give(LABEL_KEYS[key]); // a key that is held labels one pair
    } else if (Object.hasOwn(VIEW_KEYS, key)) {
      setView(VIEW_KEYS[key]);
    } else if (Object.hasOwn(KEYS, key)) {
      if (!event.repeat || key.startsWith("Arrow")) ACTS[KEYS[key]]();
    } else {
      return;
    }
    event.preventDefault();
  });

  document.addEventListener("click", (event) => {
    const data = event.target.closest("button")?.dataset ?? {};
    if (data.act) ACTS[data.act]();
    else if (data.label) give(data.label);
    else if (data.view) setView(data.view);
    else if (data.rater) open(data.rater);
  });

  let hold = [0, 0];
  $("panes").addEventListener("pointerdown", (event) => {
    hold = [event.clientX, event.clientY];
    $("panes").setPointerCapture(event.pointerId);
  });
  $("panes").addEventListener("pointermove", (event) => {
    if (!zoom || !event.buttons) return;
    panBy(event.clientX - hold[0], event.clientY - hold[1]);
    hold = [event.clientX, event.clientY];
  });

  new ResizeObserver(() => $("work").hidden || layout()).observe($("stage"));
  calm.addEventListener("change", () => $("work").hidden || show());
  window.addEventListener("beforeunload", (event) => {
    if ([...opened].some((name) => load(name).unsaved)) event.preventDefault();
  });
  window.addEventListener("storage", (event) => {
    if (!rater || event.key !== STORE + rater || $("work").hidden) return;
    state = { ...load(rater), at: state.at, view: state.view };
    show();
    notice("You are labelling in another window too; this one follows it. Close one of them.");
  });

  // ---------------------------------------------------------------- the CSV

  // As in mmh.label_sheet: a cell that a spreadsheet would calculate gets a ' in front, and loses it when read.
  const ACTIVE = /^'*[=+\-@\t\r]/;
  const guard = (cell) => (ACTIVE.test(cell) ? `'${cell}` : cell);
  const unguard = (cell) => (cell.startsWith("'") && ACTIVE.test(cell) ? cell.slice(1) : cell);
  const quote = (cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);

  function csvText() {
    const lines = [COLUMNS];
    for (const pair of pairs) {
      const given = state.labels[pair.pair];
      if (!given) continue;
      lines.push([pair.pair, pair.sample, pair.train, given.label, rater, given.time, given.blind, given.version,
        sheet.sheet]);
    }
    const text = lines.map((line) => line.map((cell) => quote(guard(String(cell)))).join(",") + "\n").join("");
    // Spreadsheets take UTF-8 for what it is only behind a byte-order mark.
    return (/[^\x00-\x7f]/.test(text) ? "\uFEFF" : "") + text;
  }

  function fileName() {
    const safe = (text) => text.replace(/[^\p{L}\p{N}_-]+/gu, "_").replace(/^_+|_+$/g, "") || "rater";
    return `${safe(sheet.experiment)}-${safe(rater)}-${sheet.sheet.slice(0, 9)}.csv`;
  }

  function saveFile() {
    const url = URL.createObjectURL(new Blob([csvText()], { type: "text/csv;charset=utf-8" }));
    const link = make("a", "", { href: url, download: fileName() });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 60000);
    state.unsaved = false;
    save();
    describe(pairs[state.at]);
    $("saved").textContent = `${count(labelled(), "label")} went to ${fileName()} in your downloads.`;
  }

  function summary() {
    const done = labelled();
    $("summary-title").textContent = `${done === total ? "All" : `${done} of`} ${total} pairs are labelled`;
    const tally = (label) => Object.values(state.labels).filter((given) => given.label === label).length;
    const boxes = CLASSES.map(([key, , short, shape]) => [key, `${shape} ${short}`, tally(key)]);
    boxes.push(["", "No label", total - done]);
    $("totals").replaceChildren(...boxes.map(([key, name, n]) => {
      const box = make("div", "", { class: key });
      box.append(make("dt", name), make("dd", String(n)));
      return box;
    }));
    $("summary-text").textContent = (done === total ? "Thank you. " : "") +
      "Save the CSV and hand it in; you can go on later and save it again, the newer file holds everything.";
    $("saved").textContent = "";
    $("csv").value = csvText();
    button("unsure").hidden = !tally("unsure");
    if (!$("summary").open) $("summary").showModal();
    button("export").focus();
  }

  /** Split a CSV into [line number, cells]; null if a quote is left open. */
  function parse(text) {
    const head = text.slice(0, text.search(/[\r\n]|$/));
    const comma = head.includes(";") && !head.includes(",") ? ";" : ","; // some spreadsheets save semicolons
    const rows = [];
    let [cells, cell, quoted, line, start] = [[], "", false, 1, 1];
    const endRow = () => {
      cells.push(cell);
      if (cells.some((found) => found.trim())) rows.push([start, cells]);
      [cells, cell, start] = [[], "", line];
    };
    const plain = text.replace(/^\uFEFF/, "").replace(/\r\n?/g, "\n");
    for (let k = 0; k < plain.length; k += 1) {
      const c = plain[k];
      if (c === "\n") line += 1;
      if (quoted) {
        if (c !== '"') cell += c;
        else if (plain[k + 1] === '"') [cell, k] = [cell + '"', k + 1];
        else quoted = false;
      } else if (c === '"' && !cell) quoted = true;
      else if (c === comma) [cells, cell] = [[...cells, cell], ""];
      else if (c === "\n") endRow();
      else cell += c;
    }
    endRow();
    return quoted ? null : rows;
  }

  function readRows(text, name) {
    const rows = parse(text);
    if (!rows?.length) return { faults: [`${name} is ${rows ? "empty" : "no CSV: a quote is left open"}.`] };
    const header = rows[0][1].map((cell) => cell.trim());
    const missing = ["pair", "label", "rater", "sheet"].filter((column) => !header.includes(column));
    if (missing.length) {
      return { faults: [`${name} has no column ${missing.join(", ")}; this page saves ${COLUMNS.join(", ")}.`] };
    }
    const records = rows.slice(1).map(([line, cells]) =>
      [line, Object.fromEntries(header.map((column, k) => [column, unguard((cells[k] ?? "").trim())]))]);
    return { records, faults: [] };
  }

  function fault(row, seen) {
    const pair = pairs[placeOf.get(row.pair)];
    if (row.sheet !== sheet.sheet) return `it is of sheet '${row.sheet}', this is ${sheet.sheet}`;
    if (!pair) return `pair '${row.pair}' is not on this sheet`;
    for (const column of ["sample", "train"]) {
      if (row[column] && row[column] !== String(pair[column])) {
        return `pair ${row.pair} has ${column} ${pair[column]}, the file says '${row[column]}'`;
      }
    }
    if (!NAMES.includes(row.label)) return `'${row.label}' is no label; labels are ${NAMES.join(", ")}`;
    if (row.rater && cleanName(row.rater) !== rater) return `it is by '${row.rater}', you are '${rater}'`;
    if (row.time && Number.isNaN(Date.parse(row.time))) return `time '${row.time}' is no ISO 8601 time`;
    if (!["yes", "no", "", undefined].includes(row.blind)) return `blind is '${row.blind}', expected yes or no`;
    if (seen.has(row.pair)) return `pair ${row.pair} is on line ${seen.get(row.pair)} already`;
    return "";
  }

  function take(text, name) {
    const { records = [], faults } = readRows(text, name);
    const seen = new Map();
    let [taken, kept, empty] = [0, 0, 0];
    for (const [line, row] of records) {
      const wrong = row.label && fault(row, seen);
      const mine = state.labels[row.pair];
      if (!row.label) {
        empty += 1;
      } else if (wrong) {
        faults.push(`Line ${line}: ${wrong}.`);
      } else if (mine && (Date.parse(mine.time) || 0) > (Date.parse(row.time) || 0)) {
        kept += 1;
      } else {
        const { label, time = "", blind = "", page_version: version = "" } = row;
        state.labels[row.pair] = { label, time, blind, version };
        if (blind === "no") state.seen[row.pair] = 1;
        taken += 1;
      }
      if (row.label && !wrong) seen.set(row.pair, line);
    }
    if (taken) state.at = Math.max(0, nextUnlabelled(total - 1));
    save();
    show();
    $("imported-title").textContent = `${count(taken, "label")} read from ${name}`;
    const notes = [];
    if (kept) notes.push(`${count(kept, "label")} of yours here ${kept === 1 ? "is" : "are"} newer and stay.`);
    if (empty) notes.push(`${count(empty, "row")} without a label ${empty === 1 ? "was" : "were"} passed over.`);
    if (faults.length) notes.push("Refused:");
    $("imported-text").textContent = notes.join(" ");
    $("refused").replaceChildren(...faults.map((text) => make("li", text)));
    $("imported").showModal();
  }

  $("file").addEventListener("change", async () => {
    const [file] = $("file").files;
    if (!file) return;
    const text = await file.text();
    $("file").value = "";
    if ($("work").hidden) {
      const { records = [], faults } = readRows(text, file.name);
      const name = cleanName($("rater").value) || cleanName(records.find(([, row]) => row.rater)?.[1].rater ?? "");
      if (!name) {
        $("rater-fault").textContent = faults[0] ?? "The file names no rater: type your name first.";
        return;
      }
      open(name);
    }
    take(text, file.name);
  });

  // ---------------------------------------------------------------- start

  function classList(target) {
    target.replaceChildren(...CLASSES.flatMap(([key, name, , shape, meaning]) => {
      const term = make("dt", "", { class: `tone ${key}` });
      term.append(make("span", shape, { class: "shape", "aria-hidden": "true" }), name);
      return [term, make("dd", meaning)];
    }));
  }

  function build() {
    classList($("classes"));
    classList($("help-classes"));
    $("bar").setAttribute("aria-valuemax", total);
    $("start-count").textContent = count(total, "pair");
    $("start-time").textContent = `At ${SECONDS} seconds a pair that takes ${estimate(total * SECONDS)}.`;
    $("sheet-name").textContent = sheet.sheet;
    $("page-name").textContent = sheet.version;
    $("encoding").textContent = sheet.encoding;
  }

  function begin() {
    clearInterval(flickerTimer);
    rater = "";
    state = fresh();
    $("work").hidden = true;
    $("start").hidden = false;
    $("rater-fault").textContent = "";
    const known = knownRaters();
    $("known").hidden = !known.length;
    $("known-list").replaceChildren(...known.map((name) => {
      const done = Object.keys(load(name).labels).length;
      return make("button", `${name} \u00B7 ${done} of ${total}`, { type: "button", "data-rater": name });
    }));
    $("rater").focus({ preventScroll: true });
  }

  function open(name) {
    rater = name;
    opened.add(name);
    state = load(name);
    showScores = false;
    [zoom, origin, pan.x, pan.y] = [0, -1, 0, 0];
    shownSince = performance.now();
    save();
    $("who").textContent = `\u00B7 ${name}`;
    $("start").hidden = true;
    $("work").hidden = false;
    show();
    $("stage").focus();
  }

  $("start-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = cleanName($("rater").value);
    if (name) open(name);
    else $("rater-fault").textContent = "Type a name first; initials will do.";
  });

  build();
  begin();
})();
