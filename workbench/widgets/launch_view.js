const FILL = { waits: "#56B4E9", left: "#8A8A8A", done: "#009E73" };
const MEANING = { waits: "waits", left: "has returned", done: "is at the end" };
const CELL = 14, STEP = 16, WARP = 32;

function threadMap(view, choose) {
  const rows = Math.ceil(view.threads.length / WARP);
  const node = wb.svg("svg", { class: "wb-threads", viewBox: `0 0 ${64 + WARP * STEP} ${rows * STEP + 4}`, role: "img",
    style: `max-width: ${64 + WARP * STEP}px`, "aria-label": `threads of the block, one row for each warp; ${view.sentence}` });
  view.threads.forEach((kind, number) => {
    const cell = wb.svg("rect", { x: 60 + (number % WARP) * STEP, y: 2 + Math.floor(number / WARP) * STEP,
      width: CELL, height: CELL, fill: FILL[kind], style: "cursor:pointer",
      class: number === view.chosen.thread ? "wb-line" : null, onclick: () => choose("thread", number) });
    if (number === view.chosen.thread) cell.setAttribute("stroke-width", 2.5);
    cell.append(wb.svg("title", {}, `thread ${number} ${MEANING[kind]}`));
    node.append(cell);
  });
  for (let row = 0; row < rows; row++) node.append(wb.svg("text", { x: 0, y: 13 + row * STEP }, `warp ${row}`));
  return node;
}

function gridMap(view, choose) {
  const [columns, rows, planes] = view.grid;
  const kept = new Set(view.blocks.map((one) => one.number));
  const node = wb.svg("svg", { class: "wb-grid", viewBox: `0 0 ${64 + columns * STEP} ${rows * planes * STEP + 4}`, role: "img",
    style: `max-width: ${64 + columns * STEP}px`, "aria-label": `grid of ${columns * rows * planes} blocks, one chosen` });
  node.append(wb.svg("text", { x: 0, y: 13 }, "grid"));
  for (let number = 0; number < columns * rows * planes; number++) {
    const chosen = number === view.chosen.block;
    const cell = wb.svg("rect", { x: 60 + (number % columns) * STEP, y: 2 + Math.floor(number / columns) * STEP,
      width: CELL, height: CELL, fill: "#E69F00", "fill-opacity": kept.has(number) ? (chosen ? 1 : 0.4) : 0.1,
      class: chosen ? "wb-line" : null, style: "cursor:pointer", onclick: () => choose("block", number) });
    cell.append(wb.svg("title", {}, `block ${number}`));
    node.append(cell);
  }
  return node;
}

function sharedTable(one) {
  const cells = one.rows.map((row, y) => wb.el("tr", {}, wb.el("th", { scope: "row", class: "wb-quiet" }, one.labels[y]), row.map((text, x) => {
    const shade = one.shades[y][x];
    const changed = one.changed[y].includes(x);
    const style = shade === null ? "opacity:0.6" : `background: rgba(0,114,178,${0.05 + 0.4 * shade})`;
    return wb.el("td", { class: `wb-number${changed ? " wb-changed" : ""}`, style: changed ? `${style};outline:2px solid #D55E00;outline-offset:-2px` : style }, text);
  })));
  const note = one.cut ? `, from row ${one.first}` : "";
  return wb.el("div", { class: "wb-scroll" }, wb.el("table", { class: "wb-table" },
    wb.el("caption", {}, `shared ${one.name}, shape ${one.shape.join(" × ")}${note}; ? was never written or is no number; outlined: new since the meeting before; each row begins with its index`),
    wb.el("tbody", {}, cells)));
}

function codeRow(row) {
  return wb.el("div", { class: `wb-code-line${row.marks.length ? " wb-code-first" : ""}` },
    wb.el("span", { class: "wb-code-number" }, row.line),
    wb.el("span", { class: "wb-code-marks" }, row.marks.length ? "▶" : ""),
    wb.el("span", { class: "wb-code-text" }, row.text));
}

function render({ model, el }) {
  const root = wb.root(el, "Launch view");
  const top = wb.el("div", { class: "wb-controls" }), map = wb.el("div"), words = wb.el("div"), under = wb.el("div");
  root.append(top, map, words, under);
  const say = wb.sentence(words);
  const choose = (what, value) => model.send({ do: "choose", what, value: Number(value) });
  const range = (n) => [...Array(n).keys()];
  const draw = wb.frame(() => {
    const view = model.get("view");
    const inside = root.contains(document.activeElement) ? document.activeElement : null;
    const label = inside && (inside.closest("label")?.firstChild?.textContent || inside.textContent);
    const back = wb.button("Earlier", () => choose("epoch", view.chosen.epoch - 1));
    const on = wb.button("Later", () => choose("epoch", view.chosen.epoch + 1));
    back.disabled = view.chosen.epoch <= 0;
    on.disabled = view.chosen.epoch >= view.epochs.length - 1;
    top.replaceChildren(back, on,
      wb.slider("moment", range(view.epochs.length).map((at) => at + 1), view.chosen.epoch + 1, (v) => choose("epoch", v - 1)),
      wb.select("block", view.blocks.map((one) => [one.number, one.label]), view.chosen.block, (v) => choose("block", v)),
      wb.slider("thread", range(view.threads.length), view.chosen.thread, (v) => choose("thread", v)),
      ...(view.row_choices > 1 ? [wb.slider("shared from row", range(view.row_choices), view.chosen.row, (v) => choose("row", v))] : []));
    const again = label && [...top.children].find((one) => (one.firstChild?.textContent || "") === label || one.textContent === label);
    if (again && !again.disabled) (again.querySelector?.("input, select") || again).focus();
    map.replaceChildren(gridMap(view, choose), threadMap(view, choose));
    say(view.sentence);
    const legend = wb.el("p", { class: "wb-note" }, Object.entries(MEANING).map(([kind, text]) => [
      wb.el("span", { style: `display:inline-block;width:10px;height:10px;margin:0 4px 0 8px;background:${FILL[kind]}` }), text]));
    under.replaceChildren(legend,
      view.locals.length ? wb.table("Locals of the chosen thread", [{ key: "name", label: "name" }, { key: "value", label: "value", number: true }], view.locals)
        : wb.el("p", { class: "wb-note" }, "The chosen thread holds no numbers here."),
      ...view.shared.map(sharedTable),
      view.code.length ? wb.el("div", { class: "wb-code", role: "group", "aria-label": `source of ${view.kernel}`, tabindex: 0 }, view.code.map(codeRow)) : "");
  });
  draw();
  return wb.listen(model, { "change:view": draw });
}

export default { render };
