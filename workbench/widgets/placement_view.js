const STEP = 50, TALL = 92, LEFT = 64, IN_A_ROW = 14;
const where = (node) => node.nobody ? "on no provider: none has it" : `on the ${node.on ? "device" : "host"}`;

function lane(nodes, number, point, recorded) {
  const top = TALL * number, on = WB_LOOK.palette.blue, off = WB_LOOK.palette.vermillion;
  const group = wb.svg("g", { transform: `translate(0 ${top})` },
    wb.svg("text", { x: 4, y: 20, class: "wb-note" }, "device"),
    wb.svg("text", { x: 4, y: 60, class: "wb-note" }, "host"));
  nodes.forEach((node, at) => {
    const x = LEFT + STEP * at, y = node.on ? 4 : 44, colour = node.on ? on : off;
    if (node.crosses) group.append(wb.svg("line", {
      class: "wb-crossing", x1: x - 5, x2: x - 5, y1: 8, y2: 64, stroke: off, "stroke-width": 2, "stroke-dasharray": "4 2",
    }, wb.svg("title", {}, "execution crosses between host and device")));
    const box = wb.svg("g", { class: "wb-node", tabindex: 0, role: "img", "data-on": node.nobody ? "nobody" : node.on ? "device" : "host",
      "aria-label": `${node.operator} ${node.name} ${where(node)}`,
      onmouseenter: () => point(node), onfocus: () => point(node) },
      wb.svg("rect", { x, y, width: 40, height: 24, rx: 3, fill: node.on ? colour : "none",
        ...(recorded ? { stroke: "currentColor", "stroke-dasharray": "2 2" } : { stroke: colour }), "stroke-width": node.nobody ? 3 : 1.5 }),
      wb.svg("text", { x: x + 20, y: y + 16, "text-anchor": "middle",
        style: `font-size:9px${node.on ? ";fill:#fff" : ""}` }, (node.nobody ? "\u2717 " : "") + node.operator.slice(0, node.nobody ? 5 : 7)));
    group.append(box);
  });
  return group;
}

function render({ model, el }) {
  const root = wb.root(el, "Placement");
  const top = wb.el("div", { class: "wb-controls" }), picture = wb.el("div", { class: "wb-scroll" });
  const words = wb.el("div"), pointed = wb.el("p", { class: "wb-note", "aria-live": "polite" }), under = wb.el("div");
  root.append(top, picture, words, pointed, under);
  const say = wb.sentence(words);
  const choose = (what) => { root.setAttribute("aria-busy", "true"); model.send({ do: "choose", ...what }); };
  const point = (node) => { pointed.textContent = `${node.operator} ${node.name}: ${where(node)}`; };
  const draw = wb.frame(() => {
    const view = model.get("view"), chosen = view.chosen;
    const held = root.contains(document.activeElement) ? document.activeElement.closest("label")?.firstChild.textContent : null;
    top.replaceChildren(
      wb.select("provider", view.providers, chosen.provider, (provider) => choose({ provider })),
      ...(view.modes.length > 1 ? [wb.select("mode", view.modes, chosen.mode, (mode) => choose({ mode }))] : []),
      wb.select("opset", view.opsets, chosen.opset, (opset) => choose({ opset: Number(opset) })));
    if (held) [...top.querySelectorAll("label")].find((one) => one.firstChild.textContent === held)?.querySelector("select").focus();
    root.setAttribute("aria-busy", "false");
    say(view.sentence);
    pointed.textContent = "";
    const width = LEFT + STEP * IN_A_ROW + 8;
    picture.replaceChildren(...(view.rows.length ? [wb.svg("svg", {
      viewBox: `0 0 ${width} ${TALL * view.rows.length}`, role: "group", "aria-label": view.sentence,
    }, view.rows.map((row, number) => lane(row, number, point, view.provenance === "recorded")))] : []));
    under.replaceChildren(
      ...(view.provenance === "recorded" ? [wb.legend(["recorded"])] : []),
      ...(view.refused.length ? [wb.table("Left on the host", [
        { key: "operator", label: "operator" }, { key: "nodes", label: "nodes", number: true }, { key: "reason", label: "why" },
      ], view.refused)] : []),
      ...(view.disagreements.length ? [wb.table("Where the sources disagree", [
        { key: "words", label: "record, optimised graph and profile do not say the same" },
      ], view.disagreements.map((words) => ({ words })))] : []),
      ...(view.copies.length ? [wb.table("Copies that the runtime put in", [
        { key: "tensor", label: "tensor" }, { key: "direction", label: "direction" }, { key: "bytes", label: "bytes", number: true },
      ], view.copies)] : []),
      ...[...view.copied, ...view.notes].map((note) => wb.el("p", { class: "wb-note" }, note)),
      ...(view.sources.length ? [wb.el("details", {},
        wb.el("summary", {}, "What this is read from, and what optimisation changed"),
        wb.el("ul", {}, view.sources.map((words) => wb.el("li", { class: "wb-note" }, words))))] : []));
  });
  draw();
  return wb.listen(model, { "change:view": draw });
}

export default { render };
