const W = 820, LEFT = 96, RIGHT = 560, TOP = 26, BOTTOM = 330;
const DASHES = [null, "7 4", "2 3", "9 3 2 3", "1 4"];
const flops = (v) => wb.si(v * 1e9, "FLOP/s");

function scales(view) {
  const ridges = view.roofs.flatMap((roof) => roof.ridge);
  if (!ridges.length) ridges.push(10);
  const where = view.points.map((point) => point.intensity);
  // Room to the left of the least intensity and below the least throughput, for marks and names.
  const xs = wb.spans([...where.map((value) => value / 2), Math.min(...ridges) / 30, Math.max(...ridges) * 10], { log: true }).domain;
  const peaks = view.roofs.flatMap((roof) => roof.compute_gflop_per_s);
  const feet = view.roofs.flatMap((roof) => roof.bandwidth_gb_per_s.map((b) => b * xs[0]));
  const ys = [...peaks, ...feet, ...view.points.map((point) => point.gflop_per_s / 2)];
  return [wb.log(xs, [LEFT, RIGHT]), wb.log(wb.spans(ys.length ? ys : [1, 1000], { log: true }).domain, [BOTTOM, TOP])];
}

function roofLine(x, y, bandwidth, compute) {
  const [lo, hi] = x.domain;
  const ridge = Math.min(Math.max(compute / bandwidth, lo), hi);
  return [[lo, bandwidth * lo], [ridge, Math.min(compute, bandwidth * ridge)], [hi, compute]]
    .map(([a, b]) => `${x(a).toFixed(1)},${y(Math.max(b, y.domain[0])).toFixed(1)}`);
}

function drawRoofs(view) {
  const node = wb.svg("svg", { viewBox: `0 0 ${W} ${BOTTOM + 44}`, role: "img", "aria-label": view.sentence });
  const [x, y] = scales(view);
  node.append(wb.axisX(x, BOTTOM, "operations per byte", wb.number, TOP), wb.axisY(y, LEFT, "throughput", flops, RIGHT));
  const colours = Object.values(WB_LOOK.palette);
  const names = [];
  view.roofs.forEach((roof, at) => {
    const colour = colours[(at + 4) % colours.length];
    const lines = [0, 1].map((end) => roofLine(x, y, roof.bandwidth_gb_per_s[end], roof.compute_gflop_per_s[end]));
    if (!roof.agreed) node.append(wb.svg("polygon", { points: [...lines[0], ...[...lines[1]].reverse()].join(" "), fill: colour, opacity: 0.25 }));
    (roof.agreed ? lines.slice(0, 1) : lines).forEach((line) => node.append(wb.svg("polyline", {
      points: line.join(" "), fill: "none", stroke: colour, "stroke-width": 2, "stroke-dasharray": DASHES[at % DASHES.length],
    })));
    names.push({ text: roof.title, y: Number(lines[1][2].split(",")[1]) + 4 });
  });
  wb.apart(names).forEach((name) => node.append(wb.svg("text", { x: RIGHT + 6, y: name.y }, name.text)));
  const labels = view.points.map((point) => ({ text: point.label, x: x(point.intensity), y: y(point.gflop_per_s) + 4 }));
  view.points.forEach((point) => node.append(wb.mark(wb.look(point.label), x(point.intensity), y(point.gflop_per_s), point.provenance)));
  wb.apart(labels, 13, BOTTOM - 3).forEach((one) => node.append(wb.svg("text", { x: one.x + 9, y: one.y }, one.text)));
  return node;
}

function tables(view) {
  const percent = (share) => `${wb.number(100 * share)} %`;
  const pair = (unit, scale) => ([lo, hi]) => (lo === hi ? wb.si(lo * scale, unit) : `${wb.si(lo * scale, unit)} to ${wb.si(hi * scale, unit)}`);
  const first = view.roofs[0];
  const roofs = wb.table(`Roofs for ${view.density} ${view.dtype}, from data sheets; a range is where the sources disagree`, [
    { key: "title", label: "device" },
    { key: "compute_gflop_per_s", label: "arithmetic", number: true, render: pair("FLOP/s", 1e9) },
    { key: "bandwidth_gb_per_s", label: "memory", number: true, render: pair("B/s", 1e9) },
    { key: "ridge", label: "ridge, operations a byte", number: true, render: ([a, b]) => (a === b ? wb.number(a) : `${wb.number(a)} to ${wb.number(b)}`) },
    { key: "device", label: "obtained", render: () => wb.badge("datasheet") },
    { key: "sources", label: "sources", render: (sources) => sources.join("; ") },
  ], view.roofs);
  const points = view.points.length ? wb.table("Work under the roofs", [
    { key: "label", label: "lane" },
    { key: "intensity", label: "operations a byte", number: true, render: wb.number },
    { key: "gflop_per_s", label: "throughput", number: true, render: flops },
    { key: "shares", label: first ? `of ${first.title}` : "share", number: true, render: (s) => (first ? percent(s[first.device]) : "–") },
    { key: "provenance", label: "obtained", render: (kind) => wb.badge(kind) },
    { key: "source", label: "from" },
  ], view.points) : null;
  const missing = view.missing.length ? wb.table("Not drawn", [
    { key: "device", label: "device" }, { key: "why", label: "why" }], view.missing) : null;
  return [points, roofs, missing].filter(Boolean);
}

function render({ model, el }) {
  const root = wb.root(el, "Roofline");
  const top = wb.el("div", { class: "wb-controls" }), picture = wb.el("div"), words = wb.el("div"), under = wb.el("div");
  root.append(top, picture, words, under);
  const say = wb.sentence(words);
  const choose = (what) => (value) => model.send({ what, value });
  const draw = wb.frame(() => {
    const view = model.get("view"), offers = model.get("offers");
    const focused = root.contains(document.activeElement) ? document.activeElement.parentElement.firstChild.textContent : null;
    top.replaceChildren(
      wb.select("data type", offers.dtypes, view.dtype, choose("dtype")),
      wb.select("add or remove", ["", ...offers.devices], "", choose("device")),
      wb.el("span", {}, `shown: ${view.devices.join(", ") || "none"}`));
    const again = focused && [...top.querySelectorAll("label")].find((one) => one.firstChild.textContent === focused);
    if (again) again.querySelector("select").focus();
    picture.replaceChildren(drawRoofs(view));
    say(view.sentence);
    under.replaceChildren(wb.legend(), ...tables(view));
  });
  draw();
  return wb.listen(model, { "change:view": draw });
}

export default { render };
