const LANE = "#0072B2";
const laneText = (lanes) => (lanes.length < 2 ? lanes.join("")
  : lanes[lanes.length - 1] - lanes[0] === lanes.length - 1 ? `${lanes[0]}–${lanes[lanes.length - 1]}` : `${lanes.length} lanes`);

function cell(x, y, width, height, lanes, title) {
  const node = wb.svg("g", {},
    wb.svg("rect", { x, y, width, height, fill: LANE, "fill-opacity": lanes.length ? 0.35 : 0.06, stroke: LANE, "stroke-opacity": 0.5 }),
    wb.svg("text", { x: x + width / 2, y: y + height - 3, "text-anchor": "middle" }, laneText(lanes)));
  node.append(wb.svg("title", {}, title));
  return node;
}

function sectors(view) {
  const node = wb.svg("svg", { viewBox: `0 0 780 ${20 + 20 * view.cells.length}`, role: "img", "aria-label": view.sentence });
  node.append(wb.svg("text", { x: 0, y: 13, class: "wb-quiet" }, "sector"),
    wb.svg("text", { x: 76, y: 13, class: "wb-quiet" }, "lanes at each element of the sector"));
  view.cells.forEach((one, at) => {
    const y = 20 + 20 * at, width = 700 / one.lanes.length;
    node.append(wb.svg("text", { x: 64, y: y + 13, "text-anchor": "end" }, one.number));
    one.lanes.forEach((lanes, slot) => node.append(cell(72 + width * slot, y, width - 3, 16, lanes,
      `sector ${one.number}, element ${slot}: ${lanes.length ? `lanes ${lanes.join(", ")}` : "nobody"}`)));
  });
  return node;
}

function banks(view) {
  const rows = Math.max(1, ...view.cells.map((one) => one.lanes.length));
  const node = wb.svg("svg", { viewBox: `0 0 830 ${44 + 17 * rows}`, role: "img", "aria-label": view.sentence });
  node.append(wb.svg("text", { x: 0, y: 13, class: "wb-quiet" }, "bank, and under it the words wanted from it, one turn each"));
  view.cells.forEach((one, at) => {
    const x = 2 + 25.6 * at;
    node.append(wb.svg("text", { x: x + 12, y: 32, "text-anchor": "middle" }, one.number));
    one.lanes.forEach((lanes, turn) => node.append(cell(x, 38 + 17 * turn, 24, 15, lanes,
      `bank ${one.number}, turn ${turn + 1}: lanes ${lanes.join(", ")}`)));
  });
  return node;
}

function render({ model, el }) {
  const root = wb.root(el, "Access map");
  const top = wb.el("div", { class: "wb-controls" }), picture = wb.el("div"), words = wb.el("div"), under = wb.el("div");
  root.append(top, picture, words, under);
  const say = wb.sentence(words);
  const LABEL = { request: "request", padding: "padding (elements a row)", stride: "stride", block_width: "block width" };
  const draw = wb.frame(() => {
    const view = model.get("view");
    const focused = root.contains(document.activeElement) ? document.activeElement.closest("label")?.firstChild.textContent : null;
    const choose = (what) => (value) => model.send({ do: "choose", what, value: Number(value) });
    top.replaceChildren(
      wb.button("As written", () => { model.send({ do: "choose", what: "padding", value: 0 });
        model.send({ do: "choose", what: "stride", value: 1 });
        model.send({ do: "choose", what: "block_width", value: view.written }); }),
      ...Object.keys(LABEL).map((what) => {
        const values = view.choices[what], from = what === "request" ? 1 : 0; // requests are counted from 1
        const one = wb.slider(LABEL[what], values.map((v) => v + from), view.chosen[what] + from, (v) => choose(what)(v - from));
        if (values.length < 2) one.querySelector("input").disabled = true;
        return one;
      }));
    if (focused) [...top.querySelectorAll("label")].find((one) => one.firstChild.textContent === focused)?.querySelector("input").focus();
    picture.replaceChildren(view.space === "shared" ? banks(view) : sectors(view));
    say(view.sentence);
    under.replaceChildren(...[
      view.trouble ? wb.el("p", { class: "wb-warning", role: "alert" }, view.trouble) : null,
      view.choices.block_width.length < 2 ? wb.el("p", { class: "wb-note" }, "The indices are no straight function of the thread's own, so another block width cannot be foretold.") : null,
    ].filter(Boolean));
  });
  draw();
  return wb.listen(model, { "change:view": draw });
}

export default { render };
