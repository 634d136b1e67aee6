const LEFT = 90, RIGHT = 740;

function render({ model, el }) {
  const root = wb.root(el, "Pipe timeline");
  const top = wb.el("div", { class: "wb-controls" }), picture = wb.el("div"), detail = wb.el("p", { class: "wb-note", "aria-live": "polite" }, "Hover or step to an instruction.");
  const words = wb.el("div"), under = wb.el("div");
  root.append(top, picture, detail, words, under);
  const say = wb.sentence(words);
  const send = (change) => model.send({ do: "choose", ...change });
  const palette = Object.values(WB_LOOK.palette);
  const colourOf = (cause) => palette[1 + (cause % (palette.length - 1))];
  const turnOf = (cause) => Math.floor(cause / (palette.length - 1));
  // colours first; once they are used up, outlines, then dashed ones
  const stall = (cause) => turnOf(cause) === 0 ? { fill: colourOf(cause), "fill-opacity": 0.6 }
    : { fill: "none", "pointer-events": "all", stroke: colourOf(cause), ...(turnOf(cause) > 1 ? { "stroke-dasharray": "3 2" } : {}) };
  const markOf = (cause) => ["▬ ", "▭ ", "┅ "][Math.min(2, turnOf(cause))];
  let order = [], chosen = -1;

  const tell = (at) => {
    order.forEach(({ node }) => node.removeAttribute("data-chosen"));
    chosen = Math.max(0, Math.min(order.length - 1, at));
    const one = order[chosen];
    if (!one) return;
    one.node.setAttribute("data-chosen", "true");
    detail.textContent = one.text;
  };

  const controls = (view) => {
    const focused = root.contains(document.activeElement) ? document.activeElement.textContent : null;
    const variants = view.variants.map((name) => {
      const one = wb.button(name, () => send({ variant: name }));
      one.setAttribute("aria-pressed", String(name === view.variant));
      return one;
    });
    const step = 0.5 / view.zoom;
    const moves = [
      wb.button("Earlier", () => send({ at: view.at - step })), wb.button("Later", () => send({ at: view.at + step })),
      wb.button("Previous instruction", () => tell(chosen - 1)), wb.button("Next instruction", () => tell(chosen + 1)),
    ];
    moves[0].disabled = view.at <= 0;
    moves[1].disabled = view.at >= 1 - 1 / view.zoom - 1e-9;
    top.replaceChildren(...(view.variants.length > 1 ? variants : []),
      wb.select("core", view.cores.map((core) => [core, core < 0 ? "all" : core]), view.core, (core) => send({ core: Number(core) })),
      wb.select("enlarged", view.zooms.map((n) => [n, `${n}×`]), view.zoom, (zoom) => send({ zoom: Number(zoom) })),
      ...moves);
    if (focused) [...variants, ...moves].find((one) => one.textContent === focused && !one.disabled)?.focus();
  };

  const draw = wb.frame(() => {
    const view = model.get("view");
    controls(view);
    const ROW = view.row_px, bottom = 8 + ROW * view.lanes.length;
    const x = wb.linear([view.begin_ns, view.end_ns], [LEFT, RIGHT]);
    const inside = (ns) => x(Math.min(Math.max(ns, view.begin_ns), view.end_ns));
    const node = wb.svg("svg", { viewBox: `0 0 760 ${bottom + 40}`, role: "img", "aria-label": view.sentence });
    const defs = wb.svg("defs");
    node.append(defs, wb.axisX(x, bottom, "time in the model", wb.time, 4));
    const work = wb.fill(palette[0], "modelled", defs);
    order = [];
    view.lanes.forEach((lane, row) => {
      const y = 8 + ROW * row;
      node.append(wb.svg("text", { x: 4, y: y + ROW / 2 }, lane.pipe));
      for (const bar of lane.bars) {
        const waits = bar.cause >= 0;
        const name = bar.count > 1 ? `${bar.count} short instructions, first ${bar.name}` : bar.name;
        const text = `${lane.pipe}: ${waits ? `waits for ${view.causes[bar.cause]}` : name}, ${wb.time(bar.stop_ns - bar.start_ns)} from ${wb.time(bar.start_ns)}, ${bar.where} (modelled)`;
        const box = wb.svg("rect", {
          x: inside(bar.start_ns), width: Math.max(0.6, inside(bar.stop_ns) - inside(bar.start_ns)),
          y: waits ? y + ROW / 2 - 7 : y, height: waits ? 6 : ROW - 8, class: waits ? "wb-stall" : "wb-work",
          ...(waits ? stall(bar.cause) : work),
        }, wb.svg("title", {}, text));
        const at = order.length;
        box.addEventListener("mouseenter", () => tell(at));
        order.push({ node: box, text });
        node.append(box);
      }
    });
    picture.replaceChildren(node);
    say(view.sentence);
    under.replaceChildren(
      wb.el("p", { class: "wb-note" }, wb.badge("modelled"), " hatched: at work; thin bars: waiting, coloured by cause. ",
        view.drawn.map((at) => [wb.el("span", { style: `color:${colourOf(at)}` }, markOf(at)), `${view.causes[at]} `])),
      wb.table(`Pipes of ${view.core < 0 ? "all cores" : `core ${view.core}`}, modelled`, [
        { key: "pipe", label: "pipe" }, { key: "n", label: "instructions", number: true, render: wb.count },
        { key: "busy_ns", label: "at work", number: true, render: (v) => wb.time(v) },
        { key: "share", label: "share of the run", number: true, render: (v) => `${Math.round(100 * v)} %` },
        { key: "stall_ns", label: "waiting for an event", number: true, render: (v) => wb.time(v) },
      ], view.rows));
  });
  draw();
  return wb.listen(model, { "change:view": draw });
}

export default { render };
