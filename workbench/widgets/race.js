function laneTable(view) {
  const ratio = (value, row) => (row.speedup === undefined ? (row.label === view.baseline ? "baseline" : "–")
    : `${wb.number(row.speedup)}x (${wb.number(row.low)} to ${wb.number(row.high)})`);
  const verdict = (value, row) => (row.error ? `failed: ${row.error.happened} ${row.error.saw}`
    : row.label === view.baseline ? "" : value || "too few rounds");
  const error = (value, row) => (row.audits ? `${wb.number(value)} (${row.audits} checked)` : "–");
  const about = view.problem ? `${view.problem}, ${wb.count(view.size)} ${view.size_means}, ${view.batch > 1 ? `batches of ${view.batch}, ` : ""}${view.cache} cache, `
    + `${view.threads} thread${view.threads === 1 ? "" : "s"}; differences under ${wb.number(100 * view.threshold, 2)} % are noise` : "No race yet";
  return wb.table(about, [
    { key: "label", label: "lane" },
    { key: "provenance", label: "obtained", render: (kind) => wb.badge(kind) },
    { key: "p50", label: "median", number: true, render: wb.time },
    { key: "p95", label: "p95", number: true, render: wb.time },
    { key: "speedup", label: `speed against ${view.baseline || "the baseline"}`, number: true, render: ratio },
    { key: "verdict", label: "verdict", render: verdict },
    { key: "max_abs_error", label: "largest error", number: true, render: error },
    { key: "first_call_ns", label: "first call", number: true, render: wb.time },
    { key: "prepare_ns", label: "preparation", number: true, render: wb.time },
    { key: "count", label: "calls", number: true, render: wb.count },
  ], view.lanes);
}

function render({ model, el }) {
  const root = wb.root(el, "Race");
  const picture = wb.el("div"), words = wb.el("div"), under = wb.el("div");
  root.append(picture, words, under);
  const say = wb.sentence(words);
  const draw = wb.frame(() => {
    const view = model.get("view");
    picture.replaceChildren(wb.lanes(view) || wb.el("p", { class: "wb-note" }, "No samples yet."));
    say(view.sentence);
    const trouble = view.trouble ? wb.el("p", { class: "wb-warning", role: "alert" }, view.trouble) : null;
    const waiting = view.waiting ? wb.el("p", { class: "wb-note" }, view.waiting) : null;
    const missing = model.get("choices").targets.filter((one) => !one.usable);
    const warnings = (view.warnings || []).map((one) => wb.el("p", { class: "wb-warning" }, one));
    const notes = view.lanes.flatMap((lane) => lane.notes.map((one) => wb.el("p", { class: "wb-note" }, `${lane.label}: ${one}`)));
    under.replaceChildren(...[trouble, waiting, ...warnings, laneTable(view), ...notes,
      missing.length ? wb.table("Not in reach here", [
        { key: "name", label: "target" }, { key: "reason", label: "why not" }, { key: "remedy", label: "what to do" },
      ], missing) : null].filter(Boolean));
  });
  draw();
  return wb.listen(model, { "change:view": draw, "change:choices": draw });
}

export default { render };
