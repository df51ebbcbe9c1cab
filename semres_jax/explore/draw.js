// Charts as text of SVG: axes, lines, marks. Nothing is told by colour alone: lines differ by dash, marks by shape.
"use strict";

const draw = (() => {
  const INK = "#222", GRID = "#e4e4e4", GREY = "#6f6f6f";
  // Okabe and Ito's colours.
  const LOOKS = {
    generalization: { colour: "#0072B2", dash: "", mark: "circle", text: "p_S" },
    identification: { colour: "#D55E00", dash: "7 4", mark: "square", text: "p_I" },
    front: { colour: INK, dash: "", mark: "circle" },
    best: { colour: "#009E73", dash: "9 3 2 3", mark: "diamond" },
    law: { colour: GREY, dash: "2 3", mark: "circle" },
  };
  const LAYERS = [
    { colour: "#CC79A7", dash: "5 2", mark: "triangle" },
    { colour: "#E69F00", dash: "3 2", mark: "cross" },
    { colour: "#56B4E9", dash: "8 2 2 2", mark: "diamond" },
    { colour: "#009E73", dash: "2 2", mark: "plus" },
    { colour: "#D55E00", dash: "10 3", mark: "square" },
    { colour: "#0072B2", dash: "1 3", mark: "circle" },
  ];
  const PLACE = { left: 50, right: 18, top: 10, bottom: 40 };

  const escaped = (text) =>
    String(text).replace(/[&<>"']/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" })[c]);

  // p_S and p_I with their letters below, in text of SVG.
  const formula = (text) =>
    escaped(text).replace(/p_([SI])/g, 'p<tspan dy="3" font-size="85%">$1</tspan><tspan dy="-3">\u200b</tspan>');
  const html = (text) => escaped(text).replace(/p_([SI])/g, "p<sub>$1</sub>");

  const short = (x) => String(Number(x.toPrecision(10)));

  // Round numbers between two ends, some five of them; of a logarithmic axis powers, with 2 and 5 where there is room.
  function ticks(axis) {
    const { min, max } = axis, values = [];
    if (axis.log) {
      const factors = max / min > 200 ? [1] : [1, 2, 5];
      for (let power = Math.floor(Math.log10(min)); power <= Math.log10(max); power++)
        for (const factor of factors) values.push(Number(`${factor}e${power}`));
    } else {
      const rough = (max - min) / 5, unit = 10 ** Math.floor(Math.log10(rough));
      const step = unit * ([1, 2, 5].find((m) => m * unit >= rough * 0.999) ?? 10);
      for (let k = Math.ceil(min / step - 1e-9); k * step <= max + 1e-9 * step; k++) values.push(k * step);
    }
    return values.filter((x) => x >= min * (1 - 1e-9) - 1e-12 && x <= max * (1 + 1e-9) + 1e-12);
  }

  function mark(shape, x, y, size, look, filled) {
    const fill = filled ? look.colour : "#fff", r = size / 2;
    const paint = `fill="${fill}" stroke="${look.colour}" stroke-width="1.6"`;
    const path = (d) => `<path d="${d}" ${paint}/>`;
    if (shape === "square") return `<rect x="${x - r}" y="${y - r}" width="${size}" height="${size}" ${paint}/>`;
    if (shape === "triangle") return path(`M${x} ${y - r * 1.2}L${x + r * 1.1} ${y + r}H${x - r * 1.1}Z`);
    if (shape === "diamond") return path(`M${x} ${y - r * 1.3}L${x + r * 1.3} ${y}L${x} ${y + r * 1.3}L${x - r * 1.3} ${y}Z`);
    if (shape === "cross") return path(`M${x - r} ${y - r}L${x + r} ${y + r}M${x - r} ${y + r}L${x + r} ${y - r}`);
    if (shape === "plus") return path(`M${x - r} ${y}H${x + r}M${x} ${y - r}V${y + r}`);
    return `<circle cx="${x}" cy="${y}" r="${r}" ${paint}/>`;
  }

  // A chart. Marks are {xs, ys, look, kind: "line" or "points", name, width, size, filled, bars}, shade is {from, to}.
  function chart(element, { x, y, marks, shade, title }) {
    const width = Math.max(280, element.clientWidth || 460), height = Math.round(Math.min(360, 0.62 * width + 60));
    const right = width - PLACE.right, bottom = height - PLACE.bottom;
    const scale = (axis, from, to) => {
      const of = axis.log ? Math.log : (v) => v;
      const low = of(axis.min), high = of(axis.max);
      return (v) => from + ((of(v) - low) / (high - low)) * (to - from);
    };
    const px = scale(x, PLACE.left, right), py = scale(y, bottom, PLACE.top);
    const inside = (v, axis) => Number.isFinite(v) && v >= axis.min - 1e-9 && v <= axis.max + 1e-9;
    const parts = [];
    if (shade) {
      const from = px(Math.max(shade.from, x.min)), to = px(Math.min(shade.to, x.max));
      const box = `x="${from}" y="${PLACE.top}" width="${Math.max(0, to - from)}" height="${bottom - PLACE.top}"`;
      parts.push(`<rect ${box} fill="#0072B2" fill-opacity="0.10"/>`);
      parts.push(`<path d="M${to} ${PLACE.top}V${bottom}" stroke="${INK}" stroke-dasharray="1 2"/>`);
    }
    for (const v of ticks(x)) {
      parts.push(`<path d="M${px(v)} ${PLACE.top}V${bottom}" stroke="${GRID}"/>`);
      parts.push(`<text x="${px(v)}" y="${bottom + 15}" text-anchor="middle">${short(v)}</text>`);
    }
    for (const v of ticks(y)) {
      parts.push(`<path d="M${PLACE.left} ${py(v)}H${right}" stroke="${GRID}"/>`);
      parts.push(`<text x="${PLACE.left - 6}" y="${py(v) + 4}" text-anchor="end">${short(v)}</text>`);
    }
    parts.push(`<path d="M${PLACE.left} ${PLACE.top}V${bottom}H${right}" fill="none" stroke="${INK}"/>`);
    const middle = (PLACE.top + bottom) / 2;
    parts.push(`<text x="${(PLACE.left + right) / 2}" y="${height - 6}" text-anchor="middle">${formula(x.label)}</text>`);
    parts.push(`<text transform="translate(12 ${middle}) rotate(-90)" text-anchor="middle">${formula(y.label)}</text>`);
    for (const own of marks) parts.push(own.kind === "line" ? line(own) : points(own));
    element.innerHTML =
      `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(title)}">${parts.join("")}</svg>` +
      legend(marks);

    function line({ xs, ys, look, width: stroke = 1.8 }) {
      let d = "", pen = "M";
      xs.forEach((v, k) => {
        if (!inside(v, x) || !inside(ys[k], y)) pen = "M";
        else {
          d += `${pen}${px(v).toFixed(2)} ${py(ys[k]).toFixed(2)}`;
          pen = "L";
        }
      });
      return `<path d="${d}" fill="none" stroke="${look.colour}" stroke-width="${stroke}" stroke-dasharray="${look.dash}"/>`;
    }

    function points({ xs, ys, look, size = 7, filled = false, bars }) {
      return xs.map((v, k) => {
        if (!inside(v, x) || !inside(ys[k], y)) return "";
        const own = mark(look.mark, px(v), py(ys[k]), size, look, filled);
        const ends = bars?.[k];
        if (!ends) return own;
        const [xl, xh, yl, yh] = ends.map((end, i) => {
          const [axis, at] = i < 2 ? [x, px] : [y, py];
          return at(Math.min(Math.max(end, axis.min), axis.max));
        });
        const d = `M${xl} ${py(ys[k])}H${xh}M${px(v)} ${yl}V${yh}`;
        return `<path d="${d}" stroke="${look.colour}"/>${own}`;
      }).join("");
    }
  }

  // One sample and name for each mark that has a name.
  function legend(marks) {
    const entries = marks.filter((own) => own.name && own.xs.length).map(({ look, kind, name, filled, joined }) => {
      const dash = kind === "line" || joined
        ? `<path d="M1 7H27" stroke="${look.colour}" stroke-width="2" stroke-dasharray="${look.dash}"/>` : "";
      const sample = dash + (kind === "line" ? "" : mark(look.mark, 14, 7, 8, look, filled));
      return `<li><svg viewBox="0 0 28 14" width="28" height="14" aria-hidden="true">${sample}</svg><span>${html(name)}</span></li>`;
    });
    return `<ul class="legend">${entries.join("")}</ul>`;
  }

  // Ends of an axis around numbers, on multiples of a step.
  function ends(values, step, low, high) {
    const known = values.filter(Number.isFinite);
    const down = (v) => Math.max(low, Math.floor(v / step + 1e-9) * step);
    const up = (v) => Math.min(high, Math.ceil(v / step - 1e-9) * step);
    const axis = { min: down(Math.min(...known)), max: up(Math.max(...known)) };
    return axis.max - axis.min < step / 2 ? { min: down(axis.min - step), max: up(axis.max + step) } : axis;
  }

  return { chart, html, escaped, ends, LOOKS, LAYERS };
})();
