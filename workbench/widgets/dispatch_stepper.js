const LEFT = 150, WIDE = 560, ROW = 40;

function render({ model, el }) {
  const root = wb.root(el, "Dispatch stepper");
  const top = wb.el("div", { class: "wb-controls" }), picture = wb.el("div"), words = wb.el("div"), under = wb.el("div");
  root.append(top, picture, words, under);
  const say = wb.sentence(words);
  const send = (change) => model.send({ do: "choose", ...change });
  const blue = WB_LOOK.palette.blue;

  const draw = wb.frame(() => {
    const view = model.get("view");
    const focused = root.contains(document.activeElement) ? document.activeElement.textContent : null;
    const moves = [wb.button("Previous stage", () => send({ at: view.at - 1 })), wb.button("Next stage", () => send({ at: view.at + 1 }))];
    moves[0].disabled = view.at === 0;
    moves[1].disabled = view.at === view.steps.length - 1;
    top.replaceChildren(...moves, wb.select("call", view.calls, view.call, (call) => send({ call, at: 0 })));
    moves.find((one) => one.textContent === focused && !one.disabled)?.focus();
    const node = wb.svg("svg", { viewBox: `0 0 760 ${16 + ROW * view.steps.length}`, role: "img", "aria-label": view.sentence });
    view.steps.forEach((step, row) => {
      const y = 8 + ROW * row, wide = Math.max(3, (WIDE * step.duration_ns) / Math.max(view.total_ns, 1));
      const box = wb.svg("rect", { x: LEFT, y, width: wide, height: 22, class: "wb-work", ...wb.fill(blue, step.active ? "measured" : "datasheet") },
        wb.svg("title", {}, `${step.stage}: ${step.kernel}`));
      box.addEventListener("click", () => send({ at: row }));
      const chosen = row === view.at;
      node.append(wb.svg("text", { x: 6, y: y + 16, "font-weight": chosen ? "bold" : null }, `${chosen ? "▸ " : ""}${step.stage}`), box,
        wb.svg("text", { x: LEFT + wide + 8, y: y + 16 }, step.active ? wb.time(step.duration_ns) : "passed over"));
    });
    picture.replaceChildren(node);
    say(view.sentence);
    under.replaceChildren(wb.table(`The way of ${view.call}, measured`, [
      { key: "stage", label: "stage" }, { key: "key", label: "dispatch key" },
      { key: "active", label: "stops here", render: (yes) => (yes ? "yes" : "no") },
      { key: "kernel", label: "kernel" },
      { key: "duration_ns", label: "time", number: true, render: (v) => wb.time(v) },
    ], view.steps));
  });
  draw();
  return wb.listen(model, { "change:view": draw });
}

export default { render };
