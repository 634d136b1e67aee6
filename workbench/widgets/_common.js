/* What every widget shares, in the object `wb`. Prepended to each widget's script by _loader.py.

   Everything takes plain values and returns elements; text is always set with textContent, so a
   model or file called "<script>" is shown as that text.

   elements   wb.el(tag, {attributes}, ...children)      HTML; strings become text
              wb.svg(tag, {attributes}, ...children)     SVG
              wb.root(el, label)                         the labelled region a widget fills
              wb.button(label, onClick)  wb.select(label, options, value, onChange)
              wb.slider(label, values, value, onChange)
   numbers    wb.time(ns) "12.3 µs"   wb.number(x) "1.24"   wb.count(n) "40,000"   wb.si(x, "B/s")
   look       wb.look(target) -> {colour, mark}          one target, one look, across the series
              wb.mark(look, x, y, provenance, r)         measured/recorded/modelled/datasheet marks
              wb.fill(colour, provenance, defs)          attributes for an area of that provenance
              wb.badge(provenance)  wb.legend()          the same four marks in tables and legends
   axes       wb.linear([lo, hi], [x0, x1])  wb.log(...)     scales: s(value), s.ticks, s.log
              wb.spans(values)                            pads a domain; log above two decades
              wb.apart([{y, ...}], gap, bottom)           moves direct labels apart, none below bottom
              wb.axisX(scale, y, label, format, top)      wb.axisY(scale, x, label, format, right)
   pictures   wb.lanes(view)                             one row of samples for each lane of a race,
                                                          null while there are none
   words      wb.table(caption, columns, rows)           columns: [{key, label, number, render}], with
                                                          render(value) or render(value, row)
              wb.detail(main, detail)                     a cell in two lines where a table is narrow
              wb.ratio({speedup, low, high})              "1.02x (0.998 to 1.043)", as such a cell
              wb.sentence(root)                           returns say(text): shown at once, announced
                                                          to screen readers at most every 2 s
   time       wb.throttled(fn, ms)                        last call wins, at most every `ms`
              wb.frame(fn)                                redraw once per animation frame
              wb.listen(model, {"change:x": fn})          returns a function that removes them all
*/
const wb = (() => {
  const SVG = "http://www.w3.org/2000/svg";

  const fillIn = (node, attributes, children) => {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on") && typeof value === "function") node.addEventListener(name.slice(2), value);
      else if (name === "text") node.textContent = value;
      else node.setAttribute(name, value === true ? "" : value);
    }
    for (const child of children.flat(Infinity)) {
      if (child === null || child === undefined) continue;
      node.append(child.nodeType ? child : document.createTextNode(String(child)));
    }
    return node;
  };
  const el = (tag, attributes, ...children) => fillIn(document.createElement(tag), attributes, children);
  const svg = (tag, attributes, ...children) => fillIn(document.createElementNS(SVG, tag), attributes, children);

  const root = (parent, label) => {
    // JupyterLab would take the arrow keys from our sliders: by its shortcuts, and by its notebook
    const node = el("div", { class: "wb", role: "region", "aria-label": label, "data-lm-suppress-shortcuts": "true",
      onkeydown: (event) => { if (event.target.matches("input, select")) event.stopPropagation(); } });
    parent.append(node);
    return node;
  };
  const button = (label, onClick) => el("button", { type: "button", onclick: onClick }, label);
  const select = (label, options, value, onChange) => {
    const node = el("select", { onchange: () => onChange(node.value) },
      options.map((one) => {
        const [key, text] = Array.isArray(one) ? one : [one, one];
        return el("option", { value: key, selected: String(key) === String(value) }, text);
      }));
    return el("label", {}, label, node);
  };
  const slider = (label, values, value, onChange) => {
    const shown = el("output", {}, count(value));
    const at = Math.max(0, values.indexOf(value));
    const node = el("input", {
      type: "range", min: 0, max: values.length - 1, step: 1, value: at, "aria-valuetext": count(value),
      oninput: () => {
        shown.textContent = count(values[node.value]);
        node.setAttribute("aria-valuetext", count(values[node.value]));
      },
      onchange: () => onChange(values[node.value]),
    });
    return el("label", {}, label, node, shown);
  };

  const digits = (x, n = 3) => (x === 0 ? "0" : Number(x.toPrecision(n)).toString());
  const scaled = (x, steps) => {
    if (x === null || x === undefined || !Number.isFinite(x)) return "–";
    const [size, name] = steps.find(([s]) => Math.abs(x) >= s) || steps[steps.length - 1];
    return `${digits(x / size)} ${name}`;
  };
  const time = (ns) => scaled(ns, [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]]);
  const si = (x, unit) => scaled(x, [[1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""]].map(([s, p]) => [s, p + unit]));
  const number = (x, n = 3) => (x === null || x === undefined || !Number.isFinite(x) ? "–"
    : x !== 0 && (Math.abs(x) < 1e-3 || Math.abs(x) >= 1e6) ? x.toExponential(Math.max(0, n - 2)) : digits(x, n));
  const count = (n) => (n === null || n === undefined ? "–" : Number(n).toLocaleString("en-US"));

  const spread = (name) => [...name].reduce((hash, c) => (hash * 31 + c.codePointAt(0)) % 1000003, 7);
  const look = (target) => {
    const name = String(target).split(/[:/ ]/)[0];
    const known = WB_LOOK.targets[name];
    if (known) return { colour: WB_LOOK.palette[known.colour], mark: known.mark };
    const at = spread(String(target));
    return { colour: WB_LOOK.palette[WB_LOOK.others[at % WB_LOOK.others.length]], mark: WB_LOOK.marks[at % WB_LOOK.marks.length] };
  };
  let hatches = 0;
  const hatch = (colour, defs) => {
    const id = `wb-hatch-${++hatches}`;
    defs.append(svg("pattern", { id, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      svg("rect", { width: 2, height: 6, fill: colour })));
    return `url(#${id})`;
  };
  const fill = (colour, provenance, defs) => ({
    measured: () => ({ fill: colour, stroke: colour }),
    recorded: () => ({ fill: colour, stroke: "currentColor", "stroke-width": 1.5, "stroke-dasharray": "2 2" }),
    modelled: () => ({ fill: hatch(colour, defs), stroke: colour }),
    datasheet: () => ({ fill: "none", stroke: colour, "stroke-width": 1.5 }),
  }[provenance]());
  const SHAPES = {
    circle: (r) => `M${-r} 0A${r} ${r} 0 1 0 ${r} 0A${r} ${r} 0 1 0 ${-r} 0Z`,
    square: (r) => `M${-r} ${-r}H${r}V${r}H${-r}Z`,
    triangle: (r) => `M0 ${-1.2 * r}L${1.1 * r} ${0.8 * r}H${-1.1 * r}Z`,
    diamond: (r) => `M0 ${-1.3 * r}L${1.3 * r} 0L0 ${1.3 * r}L${-1.3 * r} 0Z`,
    cross: (r) => `M${-r} ${-r / 3}H${-r / 3}V${-r}H${r / 3}V${-r / 3}H${r}V${r / 3}H${r / 3}V${r}H${-r / 3}V${r / 3}H${-r}Z`,
  };
  const mark = ({ colour, mark: shape }, x, y, provenance = "measured", r = 5) => {
    const group = svg("g", { transform: `translate(${x} ${y})` });
    const defs = svg("defs");
    group.append(defs, svg("path", { d: SHAPES[shape](r), ...fill(colour, provenance, defs) }));
    return group;
  };
  const badge = (provenance) => {
    const { label, meaning } = WB_LOOK.provenance[provenance];
    return el("span", { class: `wb-badge wb-badge-${provenance}`, title: meaning }, label);
  };
  const legend = (kinds = Object.keys(WB_LOOK.provenance)) => el("p", { class: "wb-note" },
    kinds.map((kind) => [badge(kind), ` ${WB_LOOK.provenance[kind].meaning} `]));

  const linear = ([lo, hi], [a, b]) => {
    const span = hi - lo || 1;
    const scale = (v) => a + ((v - lo) / span) * (b - a);
    const raw = span / Math.max(2, Math.abs(b - a) / 65);
    const base = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].find((m) => m * base >= raw) * base;
    scale.ticks = [];
    for (let k = Math.ceil(lo / step); k * step <= hi + step * 1e-9; k++) scale.ticks.push(k * step);
    return Object.assign(scale, { domain: [lo, hi], range: [a, b], isLog: false });
  };
  const log = ([lo, hi], [a, b]) => {
    const l = Math.log10(lo), h = Math.log10(hi) === l ? l + 1 : Math.log10(hi);
    const scale = (v) => a + ((Math.log10(v) - l) / (h - l)) * (b - a);
    const room = Math.abs(b - a) / (h - l);
    const marks = room > 220 ? [1, 2, 5] : room > 140 ? [1, 3] : [1];
    const every = Math.max(1, Math.ceil(60 / room));
    scale.ticks = [];
    for (let e = Math.floor(l); e <= h; e++) if (e % every === 0) for (const m of marks) {
      const v = m * 10 ** e;
      if (v >= lo * 0.9999 && v <= hi * 1.0001) scale.ticks.push(v);
    }
    return Object.assign(scale, { domain: [lo, hi], range: [a, b], isLog: true });
  };
  const spans = (values, { zero = false, log: force } = {}) => {
    const good = values.filter((v) => Number.isFinite(v) && (zero || v > 0));
    if (!good.length) return { domain: [0, 1], isLog: false };
    const lo = Math.min(...good), hi = Math.max(...good);
    const isLog = force ?? (!zero && hi / lo > 100);
    if (isLog) return { domain: [lo / 1.15, hi * 1.15], isLog };
    const pad = (hi - lo || hi || 1) * 0.05;
    return { domain: [zero ? Math.min(0, lo) : Math.max(0, lo - pad), hi + pad], isLog };
  };
  const axisX = (scale, y, label, format = number, top = null) => svg("g", { "aria-hidden": "true" },
    svg("line", { class: "wb-line", x1: scale.range[0], x2: scale.range[1], y1: y, y2: y }),
    scale.ticks.map((v) => [
      svg("line", { class: top === null ? "wb-line" : "wb-faint", x1: scale(v), x2: scale(v), y1: top ?? y, y2: y + 4 }),
      svg("text", { x: scale(v), y: y + 17, "text-anchor": "middle" }, format(v)),
    ]),
    svg("text", { x: (scale.range[0] + scale.range[1]) / 2, y: y + 34, "text-anchor": "middle" }, label + (scale.isLog ? " (log scale)" : "")));
  const axisY = (scale, x, label, format = number, right = null) => svg("g", { "aria-hidden": "true" },
    svg("line", { class: "wb-line", x1: x, x2: x, y1: scale.range[0], y2: scale.range[1] }),
    scale.ticks.map((v) => [
      svg("line", { class: right === null ? "wb-line" : "wb-faint", x1: x - 4, x2: right ?? x, y1: scale(v), y2: scale(v) }),
      svg("text", { x: x - 7, y: scale(v) + 4, "text-anchor": "end" }, format(v)),
    ]),
    svg("text", { x: 4, y: Math.min(...scale.range) - 8 }, label + (scale.isLog ? " (log scale)" : "")));

  const detail = (main, more) => [main, " ", el("span", { class: "wb-detail" }, more)];
  const times = (x) => (Math.abs(x - 1) < 0.1 ? x.toFixed(3) : number(x)); // near 1, 1.003 is not 1
  const ratio = ({ speedup, low, high }) => detail(`${times(speedup)}x`, `(${times(low)} to ${times(high)})`);
  // A long name may be broken after an underscore, and nowhere else.
  const breakable = (name) => String(name).split(/(?<=_)/).flatMap((part, at) => (at ? [el("wbr"), part] : [part]));
  const table = (caption, columns, rows) => {
    const cell = (row, { key, number: isNumber, render }, at) => el(at === 0 ? "th" : "td",
      { class: isNumber ? "wb-number" : null, scope: at === 0 ? "row" : null },
      // A renderer that takes one value gets one: wb.number's second one is a number of digits.
      render ? (render.length > 1 ? render(row[key], row) : render(row[key])) : at === 0 ? breakable(row[key] ?? "–") : row[key] ?? "–");
    return el("div", { class: "wb-scroll", tabindex: 0 }, el("table", { class: "wb-table" },
      el("caption", {}, caption),
      el("thead", {}, el("tr", {}, columns.map((c) => el("th", { scope: "col", class: c.number ? "wb-number" : null }, c.label)))),
      el("tbody", {}, rows.map((row) => el("tr", {}, columns.map((c, at) => cell(row, c, at)))))));
  };

  const short = (name) => (name.length > 16 ? `${name.slice(0, 15)}…` : name); // what fits beside its row
  const lanes = (view) => {
    const W = 760, LEFT = 130, RIGHT = 470, ROW = 40, TOP = 26;
    const told = view.lanes.filter((lane) => lane.low !== undefined);
    const shown = view.lanes.filter((lane) => lane.dots && lane.dots.length);
    if (!shown.length) return null;
    const bottom = TOP + ROW * shown.length;
    const node = svg("svg", { viewBox: `0 0 ${W} ${bottom + 44}`, role: "img", "aria-label": view.sentence });
    const defs = svg("defs");
    node.append(defs);
    const { domain, isLog } = spans(shown.flatMap((lane) => [...lane.dots, lane.p5, lane.p95]));
    const x = (isLog ? log : linear)(domain, [LEFT, RIGHT]);
    node.append(axisX(x, bottom, "latency of one call", time, TOP));
    const edge = 1 + (view.threshold || 0);
    const ends = [...told.flatMap((lane) => [lane.low, lane.high]), edge, 1 / edge];
    const wide = Math.max(...ends) / Math.min(...ends) > 5; // as in _race_picture.py
    const r = (wide ? log : linear)(spans(ends, { log: wide }).domain, [560, W - 12]);
    r.ticks = r.ticks.filter((v, n, all) => n % Math.ceil(all.length / 4) === 0);
    if (told.length) node.append(
      svg("rect", { x: r(1 / edge), y: TOP, width: r(edge) - r(1 / edge), height: bottom - TOP, fill: "currentColor", opacity: 0.12 }),
      svg("line", { class: "wb-line", "stroke-dasharray": "3 3", x1: r(1), x2: r(1), y1: TOP, y2: bottom }),
      axisX(r, bottom, "times as fast", (v) => number(v), null),
      svg("text", { class: "wb-quiet", x: (560 + W - 12) / 2, y: TOP - 10, "text-anchor": "middle" }, `against ${view.baseline}; grey: noise`));
    shown.forEach((lane, at) => {
      const y = TOP + ROW * at + ROW / 2;
      const drawn = look(lane.control_of || lane.label);
      const plain = ["measured", "recorded"].includes(lane.provenance);
      node.append(svg("rect", {
        x: x(lane.p5), y: y - 11, width: Math.max(1, x(lane.p95) - x(lane.p5)), height: 22,
        ...fill(drawn.colour, lane.provenance, defs), "fill-opacity": plain ? 0.18 : 1,
      }));
      const dots = lane.dots.map((v, n) => `M${x(v).toFixed(1)} ${y + ((n * 7) % 15) - 7}h.01`).join("");
      node.append(
        svg("path", { d: dots, stroke: drawn.colour, "stroke-width": 2.8, "stroke-linecap": "round", opacity: 0.6 }),
        svg("line", { class: "wb-line", x1: x(lane.p50), x2: x(lane.p50), y1: y - 14, y2: y + 14, style: "stroke-width:2" }),
        mark(drawn, 12, y, lane.provenance),
        svg("text", { x: 24, y: y + 4 }, short(lane.label), svg("title", {}, lane.label)),
        svg("text", { x: RIGHT + 70, y: y + 4, "text-anchor": "end" }, time(lane.p50)),
      );
      if (lane.low !== undefined) node.append(
        svg("line", { x1: r(lane.low), x2: r(lane.high), y1: y, y2: y, stroke: drawn.colour, "stroke-width": 4, "stroke-linecap": "round", opacity: 0.6 }),
        mark(drawn, r(lane.speedup), y, lane.provenance, 4));
    });
    return node;
  };

  const apart = (labels, gap = 13, bottom = Infinity) => {
    const sorted = [...labels].sort((a, b) => a.y - b.y);
    sorted.forEach((one, at) => { if (at) one.y = Math.max(one.y, sorted[at - 1].y + gap); });
    sorted.reduceRight((most, one) => { one.y = Math.min(one.y, most); return one.y - gap; }, bottom);
    return sorted;
  };

  const throttled = (fn, ms) => {
    let last = -Infinity, timer = null, waiting = null;
    return (...args) => {
      waiting = args;
      if (timer !== null) return;
      const wait = Math.max(0, last + ms - performance.now());
      timer = setTimeout(() => { timer = null; last = performance.now(); fn(...waiting); }, wait);
    };
  };
  const frame = (fn) => {
    let asked = false;
    return () => {
      if (asked) return;
      asked = true;
      requestAnimationFrame(() => { asked = false; fn(); });
    };
  };
  const sentence = (parent) => {
    const shown = el("p", { class: "wb-sentence", "aria-hidden": "true" });
    const spoken = el("p", { class: "wb-hidden", role: "status", "aria-live": "polite" });
    parent.append(shown, spoken);
    const announce = throttled((text) => { spoken.textContent = text; }, 2000);
    return (text) => {
      if (shown.textContent === text) return;
      shown.textContent = text;
      announce(text);
    };
  };
  const listen = (model, events) => {
    for (const [name, fn] of Object.entries(events)) model.on(name, fn);
    return () => { for (const [name, fn] of Object.entries(events)) model.off(name, fn); };
  };

  return { el, svg, root, button, select, slider, time, si, number, count, look, mark, fill, badge,
    legend, linear, log, spans, axisX, axisY, detail, ratio, table, lanes, apart, throttled, frame, sentence, listen };
})();
