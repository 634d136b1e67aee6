const STEPS = 200, MS = 50;

function upTo(view, share) {
  const last = Math.max(1, ...view.series.flatMap((one) => one.rounds));
  const lanes = view.lanes.filter((lane) => view.series.some((one) => one.label === lane.label)).map((lane) => {
    const { rounds, samples_ns } = view.series.find((one) => one.label === lane.label);
    const got = samples_ns.filter((_, n) => rounds[n] <= share * last);
    const sorted = [...got].sort((a, b) => a - b);
    const at = (q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
    return { ...lane, taken: got.length, dots: got.slice(-150), p5: at(0.05), p50: at(0.5), p95: at(0.95) };
  });
  return { ...view, lanes: lanes.filter((lane) => lane.taken) };
}

function laneTable(view, whole) {
  const ratio = (value, row) => (row.speedup === undefined ? (row.label === view.baseline ? "baseline" : "–") : wb.ratio(row));
  return wb.table(whole ? view.caption : `${view.caption}; so far`, [
    { key: "label", label: "lane" },
    { key: "p50", label: "median", number: true, render: wb.time },
    { key: "p95", label: "p95", number: true, render: wb.time },
    ...(whole ? [
      { key: "speedup", label: `speed against ${view.baseline}`, number: true, render: ratio },
      { key: "verdict", label: "verdict", render: (v) => v || "" },
      { key: "max_abs_error", label: "largest error", number: true, render: wb.number },
      { key: "first_call_ns", label: "first call", number: true, render: wb.time }] : []),
    { key: "taken", label: "samples shown", number: true, render: wb.count },
    { key: "provenance", label: "obtained", render: wb.badge },
  ], view.lanes);
}

function render({ model, el }) {
  const root = wb.root(el, "Replay");
  const top = wb.el("div", { class: "wb-controls" }), caption = wb.el("p", { class: "wb-note" });
  const picture = wb.el("div"), words = wb.el("div"), under = wb.el("div");
  root.append(top, caption, picture, words, under);
  const say = wb.sentence(words);
  let step = STEPS, timer = null;
  const play = wb.button("Play", () => {
    if (timer) return pause();
    if (step >= STEPS) step = 0;
    play.textContent = "Pause";
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) { step = STEPS; return pause(); }
    timer = setInterval(() => { step += 1; if (step >= STEPS) pause(); show(); }, MS);
    return show();
  });
  const pause = () => { clearInterval(timer); timer = null; play.textContent = "Play"; show(); };
  const where = wb.el("input", {
    type: "range", min: 0, max: STEPS, value: STEPS, "aria-label": "how far the run is played",
    oninput: () => { step = Number(where.value); show(); },
  });
  top.append(play, where);
  const show = wb.frame(() => {
    const view = model.get("view"), whole = step >= STEPS;
    const now = upTo(view, step / STEPS);
    where.value = step;
    where.setAttribute("aria-valuetext", `${Math.round((100 * step) / STEPS)} %`);
    caption.textContent = view.caption;
    picture.replaceChildren(wb.lanes(now) || wb.el("p", { class: "wb-note" }, "No samples yet."));
    say(whole ? view.sentence : `Playing: ${Math.round((100 * step) / STEPS)} % of a recorded run. Too early to tell.`);
    under.replaceChildren(...view.warnings.map((one) => wb.el("p", { class: "wb-warning" }, one)), laneTable(now, whole));
  });
  show();
  const off = wb.listen(model, { "change:view": show });
  return () => { clearInterval(timer); off(); };
}

export default { render };
