const LEFT = 90, RIGHT = 740, ROW = 34;

function render({ model, el }) {
  const root = wb.root(el, "Stream timeline");
  const top = wb.el("div", { class: "wb-controls" }), picture = wb.el("div"), detail = wb.el("p", { class: "wb-note", "aria-live": "polite" }, "Hover or step to a piece of work.");
  const words = wb.el("div"), under = wb.el("div");
  root.append(top, picture, detail, words, under);
  const say = wb.sentence(words);
  const palette = Object.values(WB_LOOK.palette);
  let order = [], chosen = -1;
  const tell = (at) => {
    order.forEach(({ node }) => { node.removeAttribute("data-chosen"); node.setAttribute("stroke", "none"); });
    chosen = Math.max(0, Math.min(order.length - 1, at));
    const one = order[chosen];
    if (!one) return;
    one.node.setAttribute("data-chosen", "true");
    one.node.setAttribute("stroke", "currentColor");
    detail.textContent = one.text;
  };
  const draw = wb.frame(() => {
    const view = model.get("view");
    const focused = root.contains(document.activeElement) ? document.activeElement.textContent : null;
    const runs = view.runs.map((run) => {
      const one = wb.button(run, () => model.send({ do: "choose", run }));
      one.setAttribute("aria-pressed", String(run === view.run));
      return one;
    });
    const moves = [wb.button("Previous work", () => tell(chosen - 1)), wb.button("Next work", () => tell(chosen + 1))];
    top.replaceChildren(...(runs.length > 1 ? runs : []), ...moves);
    [...runs, ...moves].find((one) => one.textContent === focused)?.focus();
    const bottom = 10 + ROW * view.lanes.length;
    const x = wb.linear([0, view.end_ns || 1], [LEFT, RIGHT]);
    const node = wb.svg("svg", { viewBox: `0 0 760 ${bottom + 40}`, role: "img", "aria-label": view.sentence });
    node.append(wb.axisX(x, bottom, "time since the first", wb.time, 4));
    view.lanes.forEach((lane, row) => node.append(wb.svg("text", { x: 4, y: 10 + ROW * row + 15 }, lane)));
    order = [];
    chosen = -1;
    for (const bar of view.bars) {
      const text = `${bar.name} on ${view.lanes[bar.lane]}: ${wb.time(bar.end_ns - bar.start_ns)} from ${wb.time(bar.start_ns)}, after ${wb.time(bar.waited_ns)} in its queue (measured)`;
      const box = wb.svg("rect", { x: x(bar.start_ns), y: 10 + ROW * bar.lane, width: Math.max(0.8, x(bar.end_ns) - x(bar.start_ns)), height: 20,
        class: "wb-work", fill: palette[bar.lane % palette.length], "fill-opacity": bar.name.startsWith("event") ? 0.4 : 1, "stroke-width": 2 }, wb.svg("title", {}, text));
      const at = order.length;
      box.addEventListener("mouseenter", () => tell(at));
      order.push({ node: box, text });
      node.append(box);
    }
    picture.replaceChildren(node);
    say(view.sentence);
    under.replaceChildren(wb.table(`Work of ${view.run}, measured`, [
      { key: "name", label: "work" }, { key: "lane", label: "stream", render: (lane) => view.lanes[lane] },
      { key: "start_ns", label: "from", number: true, render: (v) => wb.time(v) },
      { key: "end_ns", label: "to", number: true, render: (v) => wb.time(v) },
      { key: "waited_ns", label: "in its queue", number: true, render: (v) => wb.time(v) },
    ], view.bars.slice(0, 40)));
  });
  draw();
  return wb.listen(model, { "change:view": draw });
}

export default { render };
