const SIDE = { A: "first", B: "second" };

function codeRow(row) {
  const style = row.marks.length > 1 ? " wb-code-both" : row.marks.length ? ` wb-code-${SIDE[row.marks[0]]}` : "";
  return wb.el("div", { class: `wb-code-line${style}` },
    wb.el("span", { class: "wb-code-number" }, row.line),
    wb.el("span", { class: "wb-code-marks" }, row.marks.join(" ")),
    wb.el("span", { class: "wb-code-text" }, row.text));
}

function render({ model, el }) {
  const root = wb.root(el, "Findings");
  const top = wb.el("div", { class: "wb-controls" }), code = wb.el("div"), words = wb.el("div"), under = wb.el("div");
  root.append(top, code, words, under);
  const say = wb.sentence(words);
  const choose = (number) => model.send({ do: "choose", number: Number(number) });
  const draw = wb.frame(() => {
    const view = model.get("view");
    const focused = root.contains(document.activeElement) ? document.activeElement.textContent : null;
    const previous = wb.button("Previous", () => choose(view.chosen - 1));
    const next = wb.button("Next", () => choose(view.chosen + 1));
    previous.disabled = view.chosen <= 0;
    next.disabled = view.chosen >= view.titles.length - 1;
    top.replaceChildren(previous, next, ...(view.titles.length
      ? [wb.select("finding", view.titles.map((title, at) => [at, `${at + 1}. ${title}`]), view.chosen, choose)] : []));
    if (focused) [previous, next].find((one) => one.textContent === focused && !one.disabled)?.focus();
    code.replaceChildren(...(view.code.length
      ? [wb.el("div", { class: "wb-code", role: "group", "aria-label": `source of ${view.kernel}`, tabindex: 0 }, view.code.map(codeRow))] : []));
    say(view.sentence);
    under.replaceChildren(...[
      view.cure ? wb.el("p", { class: view.severity === "error" ? "wb-warning" : "wb-note" }, `Try: ${view.cure}`) : null,
      view.parties.length ? wb.table("Who is involved", [
        { key: "name", label: "" }, { key: "block", label: "block" }, { key: "thread", label: "thread" },
        { key: "does", label: "does" }, { key: "value", label: "value" }, { key: "line", label: "line", number: true },
      ], view.parties) : null,
    ].filter(Boolean));
  });
  draw();
  return wb.listen(model, { "change:view": draw });
}

export default { render };
