const LEFT = 10, WIDE = 740, TALL = 46;

function render({ model, el }) {
  const root = wb.root(el, "Memory map");
  const top = wb.el("div", { class: "wb-controls" }), picture = wb.el("div"), words = wb.el("div"), under = wb.el("div");
  root.append(top, picture, words, under);
  const say = wb.sentence(words);
  const send = (change) => model.send({ do: "choose", ...change });
  const draw = wb.frame(() => {
    const view = model.get("view");
    const focused = root.contains(document.activeElement) ? document.activeElement.textContent : null;
    const moments = view.moments.map((moment) => {
      const one = wb.button(moment, () => send({ moment, at: -1 }));
      one.setAttribute("aria-pressed", String(moment === view.moment));
      return one;
    });
    const moves = [wb.button("Previous block", () => send({ at: Math.max(0, view.at - 1) })), wb.button("Next block", () => send({ at: view.at + 1 }))];
    top.replaceChildren(...(moments.length > 1 ? moments : []), ...moves);
    [...moments, ...moves].find((one) => one.textContent === focused)?.focus();
    const node = wb.svg("svg", { viewBox: `0 0 760 ${TALL + 30}`, role: "img", "aria-label": view.sentence });
    let x = LEFT;
    view.ranges.forEach((range, at) => {
      const wide = range.wide * WIDE, colour = WB_LOOK.palette[view.states[range.state]];
      const box = wb.svg("rect", { x, y: 12, width: Math.max(1, wide - 1), height: TALL, class: "wb-work",
        ...wb.fill(colour, range.state === "free" ? "datasheet" : "measured"),
        ...(at === view.at ? { stroke: "currentColor", "stroke-width": 3 } : {}) },
      wb.svg("title", {}, `${wb.count(range.nbytes)} bytes at ${wb.count(range.start)}, ${range.state}`));
      box.addEventListener("click", () => send({ at }));
      node.append(box);
      x += wide;
    });
    picture.replaceChildren(node);
    say(view.sentence);
    const chosen = view.ranges[view.at];
    under.replaceChildren(
      wb.el("p", { class: "wb-note" }, Object.entries(view.states).map(([state, colour]) => [
        wb.el("span", { style: `color:${WB_LOOK.palette[colour]}` }, "■ "), `${state} `]), "· widths follow the logarithm of the size"),
      chosen ? wb.table("The chosen range", [
        { key: "start", label: "offset", number: true, render: wb.count }, { key: "nbytes", label: "bytes", number: true, render: wb.count },
        { key: "state", label: "state" }, { key: "stream", label: "stream", render: (n) => (n < 0 ? "–" : n === 0 ? "default" : n) },
        { key: "views", label: "tensors over it", render: (views) => views.join("; ") || "–" }], [chosen]) : wb.el("p", { class: "wb-note" }, "Choose a range."));
  });
  draw();
  return wb.listen(model, { "change:view": draw });
}

export default { render };
