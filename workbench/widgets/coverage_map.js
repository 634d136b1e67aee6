const COLUMNS = 38, CELL = 19;

function render({ model, el }) {
  const root = wb.root(el, "Coverage map");
  const top = wb.el("div", { class: "wb-controls" }), picture = wb.el("div"), words = wb.el("div"), under = wb.el("div");
  root.append(top, picture, words, under);
  const say = wb.sentence(words);
  const colour = (view, kind) => WB_LOOK.palette[view.kinds[kind]];

  const draw = wb.frame(() => {
    const view = model.get("view");
    const rows = view.rows, at = rows.findIndex((row) => row.operator === view.chosen);
    const go = (index, score) => rows.length && model.send({ do: "choose", operator: rows[(index + rows.length) % rows.length].operator, score: Boolean(score) });
    const focused = root.contains(document.activeElement) ? document.activeElement.textContent : null;
    const buttons = [wb.button("Previous operator", () => go(at - 1)), wb.button("Next operator", () => go(at + 1)),
      wb.button("Score it", () => { buttons[2].disabled = true; go(at, true); })];
    buttons[2].disabled = at < 0 || !view.can_score;
    top.replaceChildren(...buttons, wb.select("show", [["", "all"], ...Object.keys(view.kinds).map((k) => [k, `${k} (${view.counts[k]})`])], view.kind,
      (kind) => model.send({ do: "filter", kind })));
    buttons.find((one) => one.textContent === focused && !one.disabled)?.focus();
    const node = wb.svg("svg", { viewBox: `0 0 760 ${16 + CELL * Math.ceil(rows.length / COLUMNS)}`, role: "img", "aria-label": view.sentence });
    rows.forEach((row, index) => {
      const x = 8 + CELL * (index % COLUMNS), y = 8 + CELL * Math.floor(index / COLUMNS);
      const cell = wb.svg("g", { class: "wb-work", cursor: "pointer" },
        wb.svg("rect", { x, y, width: 16, height: 16, fill: colour(view, row.kind), stroke: index === at ? "currentColor" : "none", "stroke-width": 3 }),
        wb.svg("text", { x: x + 8, y: y + 12, "text-anchor": "middle", style: "fill:#111;font-size:10px" }, row.kind[0]),
        row.bytes_moved ? wb.svg("circle", { cx: x + 14, cy: y + 2, r: 3, fill: WB_LOOK.palette.vermillion }) : null,
        wb.svg("title", {}, `${row.operator}: ${row.kind}${row.calls ? `, ${wb.count(row.bytes_moved)} bytes in ${row.calls} fallbacks` : ""}`));
      cell.addEventListener("click", () => go(index));
      node.append(cell);
    });
    picture.replaceChildren(node);
    say(view.sentence);
    const chosen = rows[at];
    const legend = wb.el("p", { class: "wb-note" }, Object.keys(view.kinds).map((kind) => [
      wb.el("span", { style: `color:${colour(view, kind)}` }, "■ "), `${kind} ${view.counts[kind]}  `]), "· a dot: its fallbacks moved bytes");
    under.replaceChildren(legend, chosen ? wb.table(chosen.operator, [
      { key: "kind", label: "answered" }, { key: "source", label: "from" },
      { key: "calls", label: "fallbacks", number: true, render: wb.count },
      { key: "bytes_moved", label: "bytes moved", number: true, render: wb.count }], [chosen]) : wb.el("p", { class: "wb-note" }, "Choose an operator."),
    view.score ? wb.el("pre", { class: "wb-score" }, view.score) : "");
  });
  draw();
  return wb.listen(model, { "change:view": draw });
}

export default { render };
