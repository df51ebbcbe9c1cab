// The page: controls, what they say in words, four views, and the layers of own runs. State lives in the URL's hash.
"use strict";

const model = modelOf(JSON.parse(document.getElementById("data").textContent));
const { data } = model;
const get = (id) => document.getElementById(id);
const shown = (x) => (Number.isInteger(x) ? String(x) : String(Number(x.toPrecision(4))));
const page = { setting: null, against: "epsilon", on: new Map() };

function begin() {
  const options = (names) => names.map((name) => `<option value="${draw.escaped(name)}">${draw.escaped(name)}</option>`).join("");
  get("space").innerHTML = options(model.spaces);
  get("similarity").innerHTML = options(data.similarities);
  for (const name of ["space", "similarity"])
    get(name).addEventListener("change", (event) => {
      const change = { [name]: event.target.value }, { setting } = page;
      if (name === "space") // the same share of the width of the other space
        change.epsilon = (setting.epsilon / data.spaces[setting.space].width) * data.spaces[change.space].width;
      moved(change);
    });
  for (const name of model.NAMES)
    get(name).addEventListener("input", (event) => {
      moved({ [name]: model.stopsOf(name, page.setting)[Number(event.target.value)] });
    });
  get("against").addEventListener("change", (event) => {
    page.against = event.target.value;
    moved({});
  });
  get("controls").addEventListener("submit", (event) => event.preventDefault());
  listRuns();
  addEventListener("hashchange", () => {
    if (location.hash !== written()) read();
  });
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth !== width) {
      width = innerWidth;
      show();
    }
  });
  read();
}

// The setting of the URL, or the first one there is.
function read() {
  const { against, layers, ...wanted } = model.ofHash(location.hash);
  page.against = against === "b" ? "b" : "epsilon";
  page.on = new Map();
  for (const part of (layers ?? "").split(",").filter(Boolean)) {
    const [place, frame] = part.split(":").map(Number), layer = data.layers[place];
    if (layer) page.on.set(place, Math.min(Math.max(0, frame || 0), layer.frames.length - 1));
  }
  page.setting = model.settled(wanted);
  show();
}

function written() {
  const { setting, against, on } = page;
  const layers = [...on].map(([place, frame]) => `${place}:${frame}`).join(",");
  return model.toHash({ ...setting, against, ...(layers ? { layers } : {}) });
}

function moved(change) {
  page.setting = model.settled({ ...page.setting, ...change });
  history.replaceState(null, "", written());
  show();
}

function show() {
  const { setting } = page, space = data.spaces[setting.space];
  const now = model.numbersAt(setting), best = model.bestAt(setting), curve = model.along("epsilon", setting);
  get("space").value = setting.space;
  get("similarity").value = setting.similarity;
  get("against").value = page.against;
  const words = {
    epsilon: `${shown(setting.epsilon)} (${space.unit}), ⟨b⟩ = ${shown(now.meanB)}`,
    delta: shown(setting.delta), n: shown(setting.n),
    exponent: setting.exponent === 1 ? "1 (Luce's choice rule)" : shown(setting.exponent),
  };
  for (const name of model.NAMES) {
    const values = model.stopsOf(name, setting), slider = get(name);
    slider.max = values.length - 1;
    slider.value = model.nearest(values, setting[name]);
    slider.setAttribute("aria-valuetext", words[name]);
    get(`${name}-text`).textContent = words[name];
  }
  tell(setting, now, best, curve);
  showRuns();
  const views = { setting, space, now, best, curve, frames: framesOn() };
  drawPlane(views);
  drawCurves(views);
  drawItems(views);
  drawSimilarities(views);
}

function tell(setting, now, best, curve) {
  const line = get("numbers"), top = curve.reduce((a, b) => (b.pS > a.pS ? b : a));
  const six = (x) => x.toFixed(6), from = now.law ? `by ${now.law}` : "by the engine's exact sweep";
  const parts = [
    `<strong>p_S = ${six(now.pS)}</strong>, <strong>p_I = ${six(now.pI)}</strong> ${from}, at ε = ${shown(setting.epsilon)}`,
    ` (⟨b⟩ = ${shown(now.meanB)}${now.varB > 1e-12 ? `, Var b = ${shown(now.varB)}` : ""}), Δ = ${shown(setting.delta)},`,
    ` n = ${setting.n}, a = ${shown(setting.exponent)}, ${setting.similarity} similarity on ${setting.space}. Along this`,
    ` curve p_S is largest at ε = ${shown(top.value)}: ${six(top.pS)}. `,
  ];
  if (best) parts.push(`The best similarity of Δ = ${shown(best.floor ** (1 / setting.exponent))} for n = ${best.n}` +
    `${best.exact ? "" : ", the nearest that was computed,"} has p_S = ${best.p.toFixed(4)}.`);
  else if (setting.delta === 0) parts.push("Without a floor similarities can be as good in both as one likes.");
  // Names of spaces may come from files: what is written as HTML is escaped, and then made bold.
  line.innerHTML = parts.map((part) => draw.html(part).replace(/&lt;(\/?strong)&gt;/g, "<$1>")).join("");
  Object.assign(line.dataset, { pS: now.pS, pI: now.pI, b: now.meanB, ...setting, law: now.law });
  line.dataset.best = best?.exact ? best.p : "";
}

function drawPlane({ setting, now, best, curve, frames }) {
  const marks = [], { LOOKS } = draw;
  if (best?.front.length) {
    const [xs, ys] = [0, 1].map((k) => best.front.map((point) => point[k]));
    marks.push({ kind: "line", xs, ys, look: LOOKS.best, name: "front of all similarities" });
  } else if (best) {
    const at = { kind: "points", xs: [best.p], ys: [best.p], look: LOOKS.best, name: "best p_S of all similarities" };
    marks.push({ ...at, size: 9 });
  }
  const xs = curve.map((point) => point.pI), ys = curve.map((point) => point.pS);
  marks.push({ kind: "line", xs, ys, look: LOOKS.front, name: `all resolutions, ${setting.similarity}` });
  for (const { layer, frame, look } of frames) {
    if (layer.path.length)
      marks.push({ kind: "line", xs: layer.path.map((p) => p[0]), ys: layer.path.map((p) => p[1]), look, width: 1.2 });
    const points = frame.plane ?? [], name = `${layer.name}${layer.axis ? `, ${layer.axis} ${frame.name}` : ""}`;
    const own = { xs: points.map((p) => p[0]), ys: points.map((p) => p[1]), look, name, bars: frame.bars };
    marks.push({ kind: "points", ...own, joined: layer.path.length > 0 });
  }
  const here = { kind: "points", xs: [now.pI], ys: [now.pS], look: LOOKS.front, size: 11, filled: true };
  marks.push({ ...here, name: "this setting" });
  const x = draw.ends([1, ...marks.flatMap((own) => own.xs)], 0.1, 0, 1);
  const y = draw.ends(marks.flatMap((own) => own.ys), 0.1, 0, 1);
  draw.chart(get("plane"), {
    x: { ...x, label: "identification, p_I (probability of a right answer)" },
    y: { ...y, label: "generalization, p_S (probability)" },
    marks, title: "p_S against p_I",
  });
}

function pairs(xs, rows, names = ["p_S", "p_I"]) {
  const looks = [draw.LOOKS.generalization, draw.LOOKS.identification];
  return ["pS", "pI"].map((p, k) => ({ kind: "line", xs, ys: rows.map((row) => row[p]), look: looks[k], name: names[k] }));
}

function drawCurves({ setting, space, now, curve, frames }) {
  const byBall = page.against === "b", of = byBall ? "meanB" : "value";
  const marks = pairs(curve.map((point) => point[of]), curve);
  const { generalization, identification } = draw.LOOKS, at = byBall ? now.meanB : setting.epsilon;
  for (const { layer, frame, look } of frames) {
    const xs = byBall ? frame.curve?.b : layer.space === setting.space ? frame.curve?.epsilon : null;
    if (!xs) continue;
    marks.push({ kind: "points", xs, ys: frame.curve.p_s, look, size: 5, filled: true, name: `${layer.name}, p_S` });
    marks.push({ kind: "points", xs, ys: frame.curve.p_i, look, size: 5, name: `${layer.name}, p_I` });
  }
  for (const [p, look] of [[now.pS, generalization], [now.pI, identification]])
    marks.push({ kind: "points", xs: [at], ys: [p], look, size: 10, filled: true });
  const label = byBall ? "mean ball measure, ⟨b⟩ (share of items within ε)" : `resolution, ε (${space.unit})`;
  draw.chart(get("curves"), {
    x: { min: 0, max: byBall ? 1 : Math.max(2 * space.width, setting.epsilon), label },
    y: { ...draw.ends(marks.flatMap((own) => own.ys), 0.1, 0, 1), label: "probability of a right answer" },
    marks, title: "p_S and p_I against the resolution",
  });
}

function drawItems({ setting, now, frames }) {
  const rows = model.along("n", setting), ns = rows.map((row) => row.value), { LOOKS } = draw;
  const times = rows.map((row) => ({ pS: row.value * row.pS, pI: row.value * row.pI }));
  const marks = pairs(ns, times, ["n·p_S", "n·p_I"]).map((own) => ({ ...own, kind: ns.length > 8 ? "line" : "points" }));
  if (ns.length <= 8) marks.push(...pairs(ns, times, ["", ""]));
  const limit = setting.similarity === "constant" && setting.delta === 0 && now.varB < 1e-12 && now.meanB > 0;
  const most = Math.max(32, setting.n, ...ns, ...frames.flatMap(({ frame }) => (frame.items ?? []).map((p) => p[0])));
  if (limit) marks.push({ kind: "line", xs: [2, most], ys: [1 / now.meanB, 1 / now.meanB], look: LOOKS.law, name: "1/b" });
  for (const { layer, frame, look } of frames)
    if (frame.items?.length) {
      const xs = frame.items.map((p) => p[0]), ys = frame.items.map((p) => p[0] * p[1]);
      marks.push({ kind: "points", xs, ys, look, name: `${layer.name}, n·p_I` });
    }
  for (const [p, look] of [[now.pS, LOOKS.generalization], [now.pI, LOOKS.identification]])
    marks.push({ kind: "points", xs: [setting.n], ys: [setting.n * p], look, size: 10, filled: true });
  const values = marks.flatMap((own) => own.ys).filter((v) => v > 0);
  draw.chart(get("items"), {
    x: { min: 2, max: most, log: true, label: "number of items, n" },
    y: { min: 0.9 * Math.min(1, ...values), max: 1.1 * Math.max(2, ...values), log: true, label: "n × probability" },
    marks, title: "n times p_S and p_I against n",
  });
}

function drawSimilarities({ setting, space, best, frames }) {
  const { LOOKS } = draw, xs = Array.from(space.within, (_, k) => (k / (space.within.length - 1)) * space.width);
  const places = Array.from({ length: 401 }, (_, k) => (k / 400) * space.width);
  const g = places.map((d) => laws.similarity(setting.similarity, setting.epsilon, setting.delta, d));
  const marks = [{ kind: "line", xs, ys: [...space.within], look: LOOKS.law, name: "share of items within d" }];
  if (best) {
    const floor = shown(best.floor ** (1 / setting.exponent)), name = `best similarity, Δ = ${floor}, n = ${best.n}`;
    marks.push({ kind: "line", xs, ys: best.g, look: LOOKS.best, name });
  }
  marks.push({ kind: "line", xs: places, ys: g, look: LOOKS.generalization, width: 2.4, name: `g(d), ${setting.similarity}` });
  if (setting.exponent !== 1) {
    const name = `strength g(d)^${shown(setting.exponent)}`, ys = g.map((v) => v ** setting.exponent);
    marks.push({ kind: "line", xs: places, ys, look: LOOKS.identification, name });
  }
  for (const { layer, frame, look } of frames)
    if (frame.profile?.length) {
      const unit = layer.scale === "epsilon" ? setting.epsilon : space.width;
      const points = frame.profile.map(([d, value]) => [d * unit, value]);
      const name = `${layer.name} (its ${layer.scale === "epsilon" ? "ε" : "largest distance"} laid on this)`;
      marks.push({ kind: "points", xs: points.map((p) => p[0]), ys: points.map((p) => p[1]), look, size: 6, name });
    }
  draw.chart(get("similarities"), {
    x: { min: 0, max: space.width, label: `distance, d (${space.unit})` },
    y: { min: 0, max: 1, label: "similarity, g(d)" },
    shade: { from: 0, to: setting.epsilon }, marks, title: "the similarity function and the ball of radius ε",
  });
}

function framesOn() {
  return [...page.on].map(([place, frame]) => {
    const layer = data.layers[place];
    return { layer, frame: layer.frames[frame], look: draw.LAYERS[place % draw.LAYERS.length] };
  });
}

function listRuns() {
  get("layers").hidden = data.layers.length === 0;
  data.layers.forEach((layer, place) => {
    const box = document.createElement("div"), several = layer.frames.length > 1;
    box.className = "run";
    box.innerHTML = `<input type="checkbox" id="run-${place}"> <label for="run-${place}">${draw.html(layer.name)}</label>
      <p>${draw.html(layer.text)} (${draw.html(layer.source)})</p>
      <div class="frames" ${several ? "" : "hidden"}><label for="frame-${place}">${draw.html(layer.axis || "part")}</label>
      <input type="range" id="frame-${place}" min="0" step="1" max="${layer.frames.length - 1}">
      <output id="frame-${place}-text" for="frame-${place}"></output></div>`;
    get("runs").append(box);
    get(`frame-${place}`).value = layer.start;
    get(`run-${place}`).addEventListener("change", (event) => {
      if (event.target.checked) page.on.set(place, Number(get(`frame-${place}`).value));
      else page.on.delete(place);
      moved({});
    });
    get(`frame-${place}`).addEventListener("input", (event) => {
      page.on.set(place, Number(event.target.value));
      moved({});
    });
  });
}

function showRuns() {
  data.layers.forEach((layer, place) => {
    const slider = get(`frame-${place}`), frame = page.on.get(place) ?? Number(slider.value);
    get(`run-${place}`).checked = page.on.has(place);
    slider.value = frame;
    const { name, note } = layer.frames[frame], words = note ? `${name}: ${note}` : name;
    slider.setAttribute("aria-valuetext", words);
    get(`frame-${place}-text`).textContent = words;
  });
}

begin();
