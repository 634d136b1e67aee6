const W = 760, LEFT = 80, RIGHT = 610, TOP = 40, BOTTOM = 340;

function drawLines(view) {
  const points = view.lines.flatMap((line) => line.points);
  if (!points.length) return wb.el("p", { class: "wb-note" }, "No sizes yet.");
  const node = wb.svg("svg", { viewBox: `0 0 ${W} ${BOTTOM + 44}`, role: "img", "aria-label": view.sentence });
  const x = wb.log(wb.spans(points.map((p) => p.size), { log: true }).domain, [LEFT, RIGHT]);
  const y = wb.log(wb.spans(points.flatMap((p) => [p.p25, p.p75]), { log: true }).domain, [BOTTOM, TOP]);
  node.append(wb.axisX(x, BOTTOM, view.size_means, wb.count, TOP), wb.axisY(y, LEFT, "latency of one call", wb.time, RIGHT));
  const names = view.lines.map((line) => ({ text: line.label, y: y(line.points[line.points.length - 1].p50) + 4, x: x(line.points[line.points.length - 1].size) + 9 }));
  wb.apart(names).forEach((name) => node.append(wb.svg("text", { x: name.x, y: name.y }, name.text)));
  view.lines.forEach((line) => {
    const look = wb.look(line.label);
    const way = (key, list) => list.map((p) => `${x(p.size).toFixed(1)},${y(p[key]).toFixed(1)}`);
    node.append(
      wb.svg("polygon", { points: [...way("p75", line.points), ...way("p25", [...line.points].reverse())].join(" "), fill: look.colour, opacity: 0.2 }),
      wb.svg("polyline", { points: way("p50", line.points).join(" "), fill: "none", stroke: look.colour, "stroke-width": 1.5 }),
      line.points.map((p) => wb.mark(look, x(p.size), y(p.p50), p.provenance, 4)).reduce((g, m) => { g.append(m); return g; }, wb.svg("g")),
    );
  });
  view.crossings.forEach((one) => node.append(
    wb.svg("line", { class: "wb-line", "stroke-dasharray": "4 3", x1: x(one.size), x2: x(one.size), y1: TOP, y2: BOTTOM }),
    wb.svg("text", { class: "wb-quiet", x: x(one.size), y: TOP - 5, "text-anchor": "middle" }, `${one.faster} pays`)));
  return node;
}

function tables(view) {
  const sizes = [...new Set(view.lines.flatMap((line) => line.points.map((p) => p.size)))].sort((a, b) => a - b);
  const rows = view.lines.map((line) => ({
    label: line.label, provenance: line.points[0].provenance,
    ...Object.fromEntries(line.points.map((p) => [`at${p.size}`, p])),
  }));
  const cell = (p) => (p ? wb.detail(wb.time(p.p50), `(${wb.time(p.p25)} to ${wb.time(p.p75)})`) : "–");
  const lines = wb.table(`${view.problem}: median and middle half; ${view.machine}`, [
    { key: "label", label: "lane" },
    ...sizes.map((size) => ({ key: `at${size}`, label: wb.count(size), number: true, render: cell })),
    { key: "provenance", label: "obtained", render: wb.badge },
  ], rows);
  const crossings = view.crossings.length ? wb.table("Crossings", [{ key: "words", label: "from which size" }], view.crossings) : null;
  return [crossings, lines].filter(Boolean);
}

function render({ model, el }) {
  const root = wb.root(el, "Scaling");
  const top = wb.el("div", { class: "wb-controls" }), picture = wb.el("div"), words = wb.el("div"), under = wb.el("div");
  root.append(top, picture, words, under);
  const say = wb.sentence(words);
  const start = wb.button("Start", () => model.send({ do: "start" }));
  const stop = wb.button("Stop", () => model.send({ do: "stop" }));
  const progress = wb.el("span", { role: "status" });
  top.append(start, stop, progress);
  const draw = wb.frame(() => {
    const view = model.get("view");
    top.hidden = !view.live;
    top.style.display = view.live ? "" : "none";
    start.disabled = view.state === "racing";
    stop.disabled = view.state !== "racing";
    progress.textContent = view.progress;
    picture.replaceChildren(drawLines(view));
    say(view.sentence);
    const trouble = view.trouble ? [wb.el("p", { class: "wb-warning", role: "alert" }, view.trouble)] : [];
    under.replaceChildren(...trouble, ...(view.lines.length ? tables(view) : []));
  });
  draw();
  return wb.listen(model, { "change:view": draw });
}

export default { render };
