function render({ model, el }) {
  const root = wb.root(el, "Divergence");
  const top = wb.el("div", { class: "wb-controls" }), picture = wb.el("div"), words = wb.el("div"), under = wb.el("div");
  root.append(top, picture, words, under);
  const say = wb.sentence(words);
  const go = (number) => model.send({ do: "choose", number });
  const draw = wb.frame(() => {
    const { steps, first, chosen, sentence, notes } = model.get("view");
    const focused = root.contains(document.activeElement) ? document.activeElement.textContent : null;
    const previous = wb.button("Previous value", () => go(chosen - 1)), next = wb.button("Next value", () => go(chosen + 1));
    const start = wb.button("First divergence", () => go(first));
    previous.disabled = chosen <= 0;
    next.disabled = chosen >= steps.length - 1;
    start.disabled = first < 0;
    top.replaceChildren(previous, next, start);
    if (focused) [previous, next, start].find((one) => one.textContent === focused && !one.disabled)?.focus();
    const W = 760, LEFT = 60, BOTTOM = 190;
    const x = wb.linear([0, Math.max(1, steps.length)], [LEFT, W - 10]);
    const y = wb.log([1e-4, 1e4], [BOTTOM, 20]);
    const each = x(1) - x(0);
    const svg = wb.svg("svg", { viewBox: `0 0 ${W} 226`, role: "img", "aria-label": sentence },
      wb.axisY(y, LEFT, "difference / allowed", wb.number, W - 10));
    steps.forEach((step, at) => {
      const colour = step.agrees ? WB_LOOK.palette.blue : WB_LOOK.palette.vermillion;
      const bar = wb.svg("rect", {
        class: "wb-bar", x: x(at), y: y(step.ratio), width: Math.max(1, each - 1), height: Math.max(1, BOTTOM - y(step.ratio)),
        fill: step.agrees ? colour : "none", stroke: colour, "stroke-width": step.agrees ? 0 : 2, onclick: () => go(at),
      }, wb.svg("title", {}, `${step.node} ${step.operator}: ${step.error}`));
      svg.append(bar);
      if (at === chosen) svg.append(wb.svg("path", { "data-chosen": at, class: "wb-line", d: `M${x(at) + each / 2} ${BOTTOM + 4}l-5 9h10z` }));
    });
    svg.append(
      wb.svg("line", { class: "wb-line", x1: LEFT, x2: W - 10, y1: y(1), y2: y(1), style: "stroke-dasharray:4 3" }),
      wb.svg("text", { x: (LEFT + W) / 2, y: BOTTOM + 30, "text-anchor": "middle" }, "values in the order of execution"));
    picture.replaceChildren(svg);
    say(sentence);
    const step = steps[chosen];
    under.replaceChildren(
      ...(step ? [wb.table(`Value ${chosen + 1} of ${steps.length}`, [
        { key: "node", label: "node" }, { key: "operator", label: "operator" }, { key: "value", label: "value" }, { key: "dtype", label: "dtype" },
        { key: "error", label: "difference", number: true }, { key: "allowed", label: "allowed", number: true }, { key: "source", label: "source line" },
      ], [step])] : []),
      ...notes.map((note) => wb.el("p", { class: "wb-note" }, note)));
  });
  draw();
  return wb.listen(model, { "change:view": draw });
}

export default { render };
