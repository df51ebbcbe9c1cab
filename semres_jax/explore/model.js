// What the page knows: a setting of the sliders, the numbers at it, and curves through it. No drawing here.
"use strict";

function modelOf(data) {
  const { stops, fine, optima } = data;
  const spaces = Object.keys(data.spaces);
  const NAMES = ["epsilon", "delta", "n", "exponent"];

  function unpacked(text, Kind) {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    return new Kind(bytes.buffer);
  }

  for (const space of Object.values(data.spaces)) {
    for (const name of ["mean_b", "var_b"]) space[name] = unpacked(space[name], Float64Array);
    space.within = unpacked(space.within, Float32Array);
    for (const grid of Object.values(space.grids))
      for (const p of ["p_s", "p_i"]) grid[p] = unpacked(grid[p], Float32Array);
  }
  optima.p_s = unpacked(optima.p_s, Float64Array);
  optima.h = unpacked(optima.h, Float32Array);
  const places = optima.h.length / Math.max(1, optima.p_s.length);

  const nearest = (values, x) =>
    values.reduce((best, value, k) => (Math.abs(value - x) < Math.abs(values[best] - x) ? k : best), 0);
  const clamped = (x, low, high) => Math.min(Math.max(x, low), high);

  // Which law in closed form holds at a setting, "" where numbers are those of the sweep, and which of its numbers may
  // then be any, not only stops of the sweep.
  function lawAt(setting) {
    const space = data.spaces[setting.space], formula = space.ball.kind !== "stops";
    if (setting.similarity === "constant") {
      if (space.law === "homogeneous")
        return { name: "theorem 3", free: { n: true, exponent: true, delta: true, epsilon: formula } };
      if (space.law === "moments" && setting.n === 2)
        return { name: "theorems 1 and 2", free: { exponent: true, delta: true, epsilon: formula } };
    }
    const luce = setting.n === 2 && setting.exponent === 1 && setting.delta === 0;
    if (setting.similarity === "linear" && space.straight && luce)
      return { name: "proposition 1", free: { epsilon: true } };
    return { name: "", free: {} };
  }

  // The stops of a slider at a setting.
  function stopsOf(name, setting) {
    const space = data.spaces[setting.space], free = lawAt(setting).free[name];
    if (name === "n") return free ? fine.ns : space.ns;
    if (name === "delta") return free ? fine.deltas : stops.deltas;
    if (name === "exponent") return free ? fine.exponents : stops.exponents;
    return (free ? fine.shares : stops.shares).map((share) => share * space.width);
  }

  // The nearest setting that has numbers: what is free stays, what isn't goes to the nearest stop.
  function settled(wanted) {
    const setting = { ...wanted };
    if (!data.spaces[setting.space]) setting.space = spaces[0];
    if (!data.similarities.includes(setting.similarity)) setting.similarity = data.similarities[0];
    const width = data.spaces[setting.space].width;
    const ends = { n: [2, 1e6], delta: [0, 1], exponent: [0, 64], epsilon: [0, 100 * width] };
    const usual = { n: 2, delta: 0, exponent: 1, epsilon: width / 2 };
    for (const name of NAMES) {
      const number = setting[name] === "" ? NaN : Number(setting[name]);
      setting[name] = clamped(Number.isFinite(number) ? number : usual[name], ...ends[name]);
    }
    setting.n = Math.round(setting.n);
    for (const name of ["n", "exponent", "delta", "epsilon"]) {
      if (lawAt(setting).free[name]) continue;
      const values = stopsOf(name, setting);
      setting[name] = values[nearest(values, setting[name])];
    }
    return setting;
  }

  // Mean and variance of the ball measure: by a formula, or at a stop.
  function ballAt(setting) {
    const space = data.spaces[setting.space], known = laws.ball(space.ball, setting.epsilon);
    if (known) return known;
    const k = nearest(stops.shares, setting.epsilon / space.width);
    return { meanB: space.mean_b[k], varB: space.var_b[k] };
  }

  function ofSweep(setting) {
    const space = data.spaces[setting.space], grid = space.grids[setting.similarity];
    const at = [
      stops.exponents.indexOf(setting.exponent), space.ns.indexOf(setting.n), stops.deltas.indexOf(setting.delta),
      nearest(stops.shares, setting.epsilon / space.width),
    ];
    const sizes = [stops.exponents.length, space.ns.length, stops.deltas.length, stops.shares.length];
    const place = at.reduce((sum, k, axis) => sum * sizes[axis] + k, 0);
    return { pS: grid.p_s[place], pI: grid.p_i[place] };
  }

  // Both accuracies at a settled setting, the ball measure, and where the numbers are from.
  function numbersAt(setting) {
    const space = data.spaces[setting.space], law = lawAt(setting).name, b = ballAt(setting);
    const floor = setting.delta ** setting.exponent; // 0^0 is 1 here as there
    let pair;
    if (law === "theorem 3") pair = laws.constant(b.meanB, setting.n, floor);
    else if (law === "theorems 1 and 2") pair = laws.moments(b.meanB, b.varB, floor);
    else if (law === "proposition 1") pair = laws.linear(setting.epsilon / space.width);
    else pair = ofSweep(setting);
    return { ...pair, ...b, law };
  }

  // Numbers along the stops of one slider, wherever there are some with all else as it is.
  function along(name, setting) {
    const points = [];
    for (const value of stopsOf(name, setting)) {
      const here = settled({ ...setting, [name]: value });
      if (NAMES.every((other) => here[other] === (other === name ? value : setting[other])))
        points.push({ value, ...numbersAt(here) });
    }
    return points;
  }

  // The best similarity of a floor Δ^a, known where the space is homogeneous; that of the nearest floor there is.
  function bestAt(setting) {
    const space = data.spaces[setting.space], floor = setting.delta ** setting.exponent;
    if (space.law !== "homogeneous" || floor < optima.floors[0] * (1 - 1e-9) || setting.delta === 1) return null;
    const logs = optima.floors.map(Math.log), row = nearest(logs, Math.log(floor));
    const column = nearest(stops.ns, setting.n), place = row * stops.ns.length + column;
    const values = optima.h.subarray(place * places, (place + 1) * places);
    const known = optima.floors[row], exact = Math.abs(known / floor - 1) < 1e-9 && stops.ns[column] === setting.n;
    return {
      floor: known, n: stops.ns[column], exact, p: optima.p_s[place],
      front: stops.ns[column] === 2 && setting.n === 2 ? optima.fronts[row] : [],
      // g at distances along `within`: strengths are h(b(d)), so that g is its a-th root.
      g: Array.from(space.within, (b) => {
        const at = clamped(b, 0, 1) * (places - 1), left = Math.min(Math.floor(at), places - 2);
        const h = values[left] + (at - left) * (values[left + 1] - values[left]);
        return h ** (1 / setting.exponent);
      }),
    };
  }

  function toHash(setting) {
    return "#" + Object.entries(setting).map(([name, x]) => `${name}=${encodeURIComponent(x)}`).join("&");
  }

  function ofHash(hash) {
    const pairs = hash.replace(/^#/, "").split("&").filter(Boolean).map((part) => part.split("="));
    return Object.fromEntries(pairs.map(([name, text]) => {
      try {
        return [name, decodeURIComponent(text ?? "")];
      } catch {
        return [name, ""];
      }
    }));
  }

  return { data, spaces, NAMES, lawAt, stopsOf, settled, numbersAt, along, bestAt, toHash, ofHash, nearest };
}
