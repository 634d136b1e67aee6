const LEFT = 80, RIGHT = 740, TOP = 24, TALL = 230;

function render({ model, el }) {
  const root = wb.root(el, "Buffer map");
  const top = wb.el("div", { class: "wb-controls" }), picture = wb.el("div"), detail = wb.el("p", { class: "wb-note", "aria-live": "polite" }, "Hover or step to a tile.");
  const words = wb.el("div"), under = wb.el("div");
  root.append(top, picture, detail, words, under);
  const say = wb.sentence(words);
  const send = (change) => model.send({ do: "choose", ...change });
  const palette = Object.values(WB_LOOK.palette);
  let order = [], chosen = -1;

  const tell = (at) => {
    order.forEach(({ node }) => node.removeAttribute("data-chosen"));
    chosen = Math.max(0, Math.min(order.length - 1, at));
    const one = order[chosen];
    if (!one) return;
    one.node.setAttribute("data-chosen", "true");
    detail.textContent = one.text;
  };

  const draw = wb.frame(() => {
    const view = model.get("view");
    const focused = root.contains(document.activeElement) ? document.activeElement.textContent : null;
    const buffers = view.buffers.map((name) => {
      const one = wb.button(name, () => send({ buffer: name }));
      one.setAttribute("aria-pressed", String(name === view.buffer));
      return one;
    });
    const steps = [wb.button("Previous tile", () => tell(chosen - 1)), wb.button("Next tile", () => tell(chosen + 1))];
    top.replaceChildren(...buffers, wb.select("core", view.cores, view.core, (core) => send({ core: Number(core) })), ...steps);
    if (focused) [...buffers, ...steps].find((one) => one.textContent === focused)?.focus();
    const x = wb.linear([0, view.elapsed_ns], [LEFT, RIGHT]);
    const y = wb.linear([0, view.capacity_bytes / 1024], [TOP + TALL, TOP]);
    const node = wb.svg("svg", { viewBox: `0 0 760 ${TOP + TALL + 44}`, role: "img", "aria-label": view.sentence });
    const defs = wb.svg("defs");
    node.append(defs, wb.axisX(x, TOP + TALL, "time in the model", wb.time, TOP), wb.axisY(y, LEFT, `KiB of ${view.buffer}`, wb.number, RIGHT));
    const fills = view.names.map((_, at) => wb.fill(palette[at % palette.length], "modelled", defs));
    order = view.stays.map((stay, at) => {
      const text = `${view.names[stay.name]}, buffer ${stay.slot}: bytes ${wb.count(stay.offset)} to ${wb.count(stay.offset + stay.nbytes)} of ${view.buffer}, ${wb.time(stay.start_ns)} to ${wb.time(stay.stop_ns)}, line ${stay.line} (modelled)`;
      const high = y((stay.offset + stay.nbytes) / 1024);
      const box = wb.svg("rect", {
        x: x(stay.start_ns), width: Math.max(0.6, x(stay.stop_ns) - x(stay.start_ns)), class: "wb-stay",
        y: high, height: Math.max(1, y(stay.offset / 1024) - high), ...fills[stay.name],
      }, wb.svg("title", {}, text));
      box.addEventListener("mouseenter", () => tell(at));
      node.append(box);
      return { node: box, text };
    });
    picture.replaceChildren(node);
    say(view.sentence);
    under.replaceChildren(wb.el("p", { class: "wb-note" }, wb.badge("modelled"), " ",
      view.names.map((name, at) => [wb.el("span", { style: `color:${palette[at % palette.length]}` }, "■ "), `${name} `])),
    wb.table(`What ${view.buffer} of core ${view.core} holds`, [
      { key: "name", label: "queue or tensor" }, { key: "depth", label: "buffers", number: true },
      { key: "each_bytes", label: "bytes each", number: true, render: wb.count },
      { key: "total_bytes", label: "bytes in all", number: true, render: wb.count },
    ], view.rows));
  });
  draw();
  return wb.listen(model, { "change:view": draw });
}

export default { render };
