// The laws that are closed forms, as `semres_jax.laws.closed_form` and `similarity` compute them, in doubles.
"use strict";

const laws = (() => {
  // 1/x = Σ w e^{-xs} for 1 <= x <= most: the trapezoid rule in ln s, with all nodes below the first lumped into one.
  const STEP = 0.25, LOG_LAST = 3.62, TINY = 2 ** -52;
  const known = new Map();

  function nodes(most) {
    if (known.has(most)) return known.get(most);
    const below = Math.ceil(Math.log(1e6 * most) / STEP);
    const first = -STEP * below;
    const mass = STEP / Math.expm1(STEP), lump = STEP / Math.expm1(2 * STEP) / mass;
    const s = [], weight = [];
    for (let k = 0; k < 2 + below + Math.ceil(LOG_LAST / STEP); k++) {
      const logS = first + STEP * (k - 1) + (k === 0 ? STEP + Math.log(lump) : 0);
      s.push(Math.exp(logS));
      weight.push((k === 0 ? mass / lump : STEP) * s[k]);
    }
    known.set(most, { s, weight });
    return known.get(most);
  }

  // Theorems 1 and 2: two items need mean and variance of the ball measure.
  function moments(meanB, varB, floor) {
    return {
      pS: 0.5 + (meanB * (1 - meanB) - varB) * (1 - floor) / (1 + floor),
      pI: meanB / 2 + (1 - meanB) / (1 + floor),
    };
  }

  // Theorem 3: n items, K ~ Binomial(n, b) of them in the ball; floor is Δ^a.
  function constant(b, n, floor) {
    if (n === 2) return moments(b, 0, floor);
    const { s, weight } = nodes(n);
    let pS = Math.exp(n * Math.log1p(-Math.min(b, 1 - TINY))) / n, pI = 0;
    for (let k = 0; k < s.length; k++) {
      const decay = (1 - floor) * s[k];
      const item = Math.max(b * Math.expm1(-decay), TINY - 1);
      const logItem = Math.log1p(item) - floor * s[k];
      const inside = Math.min(b * Math.exp(-decay) / (1 + item), 1 - TINY);
      pS += weight[k] * Math.exp(n * logItem) * -Math.expm1(n * Math.log1p(-inside));
      pI += weight[k] * Math.exp((n - 1) * logItem - s[k]);
    }
    return { pS, pI };
  }

  // Proposition 1 and what follows it: two items, linear similarity on the circle, b = ε / diameter.
  function linear(b) {
    if (b === 0) return { pS: 0.5, pI: 1 };
    if (b <= 1) return { pS: 0.5 + b - (1.5 - Math.LN2) * b * b, pI: 1 - (1 - Math.LN2) * b };
    const y = 2 * b - 1, pI = -b * Math.log1p(-0.5 / b);
    if (y <= 2) {
      const logs = (1 + y) ** 2 * Math.log1p(1 / y) - (1 - y) ** 2 * Math.log((y - 1) / y);
      return { pS: 0.5 + logs / 4 - y / 2, pI };
    }
    let series = 0;
    for (let odd = 47; odd > 0; odd -= 2) series = series / (y * y) + 1 / (odd * (odd + 1) * (odd + 2));
    return { pS: 0.5 + series / y, pI };
  }

  // Mean and variance of the ball measure on the segment [0, 1].
  function segment(epsilon) {
    const e = Math.min(epsilon, 1), eta = Math.min(e, 1 - e);
    return { meanB: e * (2 - e), varB: eta ** 3 * (2 / 3 - eta) };
  }

  // Mean and variance of the ball measure where they have a formula; null elsewhere.
  function ball(kind, radius) {
    if (kind.kind === "segment") return segment(radius);
    if (kind.kind === "cap") return { meanB: radius >= Math.PI ? 1 : Math.sin(radius / 2) ** 2, varB: 0 };
    if (kind.kind === "power") return { meanB: Math.min(radius / kind.reach, 1) ** kind.dim, varB: 0 };
    return null;
  }

  const shapes = {
    constant: (x) => (x <= 1 ? 1 : 0),
    linear: (x) => Math.max(0, 1 - x),
    exponential: (x) => Math.exp(-x),
    gaussian: (x) => Math.exp(-x * x / 2),
    powerlaw: (x) => 1 / (1 + x),
  };

  // g(d) = Δ + (1 - Δ) g0(d / ε).
  function similarity(name, epsilon, delta, d) {
    const shape = shapes[name.split("(")[0]] ?? shapes.constant;
    return delta + (1 - delta) * (epsilon > 0 ? shape(d / epsilon) : d > 0 ? 0 : 1);
  }

  return { constant, moments, linear, segment, ball, similarity };
})();
