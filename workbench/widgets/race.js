function laneTable(view) {
  const ratio = (value, row) => (row.speedup === undefined ? (row.label === view.baseline ? "baseline" : "–")
    : `${wb.number(row.speedup)}x (${wb.number(row.low)} to ${wb.number(row.high)})`);
  const verdict = (value, row) => (row.error ? `failed: ${row.error.happened} ${row.error.saw}`
    : row.label === view.baseline ? "" : value || "too few rounds");
  const error = (value, row) => (row.audits ? `${wb.number(value)} (${row.audits} checked)` : "–");
  const about = view.problem ? `${view.problem}, ${wb.count(view.size)} ${view.size_means}, ${view.cache} cache, `
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

function controls(model, send) {
  const choices = model.get("choices"), chosen = model.get("chosen"), view = model.get("view");
  const busy = view.state === "preparing" || view.state === "racing";
  const start = wb.button("Start", () => send({ do: "start" }));
  const stop = wb.button("Stop", () => send({ do: "stop" }));
  start.disabled = busy || !chosen.targets.length;
  stop.disabled = !busy;
  const choose = (what) => (value) => send({ do: "choose", what, value });
  const boxes = choices.targets.map((one) => wb.el("label", { title: one.reason ? `${one.reason} ${one.remedy}` : null },
    wb.el("input", {
      type: "checkbox", value: one.name, checked: chosen.targets.includes(one.name), disabled: busy || !one.usable,
      onchange: (event) => choose("targets")(event.target.checked
        ? [...chosen.targets, one.name] : chosen.targets.filter((name) => name !== one.name)),
    }), one.name));
  const node = wb.el("div", {},
    wb.el("div", { class: "wb-controls" }, start, stop,
      wb.select("problem", choices.problems, chosen.problem, choose("problem")),
      wb.slider(choices.size_means, choices.sizes, chosen.size, choose("size")),
      wb.select("seconds", choices.seconds, chosen.seconds, (v) => choose("seconds")(Number(v))),
      wb.select("cache", ["warm", "cold"], chosen.cache, choose("cache")),
      wb.select("against", chosen.targets, chosen.baseline, choose("baseline"))),
    wb.el("div", { class: "wb-controls", role: "group", "aria-label": "targets" }, boxes));
  if (busy) node.querySelectorAll("select, input").forEach((one) => { one.disabled = true; });
  return node;
}

function render({ model, el }) {
  const root = wb.root(el, "Race");
  const top = wb.el("div"), picture = wb.el("div"), words = wb.el("div"), under = wb.el("div");
  root.append(top, picture, words, under);
  const say = wb.sentence(words);
  const send = (message) => model.send(message);
  let stateShown = null;
  const drawControls = () => {
    const focused = root.contains(document.activeElement) ? document.activeElement.textContent : null;
    top.replaceChildren(controls(model, send));
    const again = focused && [...top.querySelectorAll("button")].find((b) => b.textContent === focused && !b.disabled);
    if (again) again.focus();
  };
  const draw = wb.frame(() => {
    const view = model.get("view");
    if (view.state !== stateShown) { stateShown = view.state; drawControls(); }
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
  drawControls();
  draw();
  return wb.listen(model, { "change:view": draw, "change:chosen": drawControls, "change:choices": () => { drawControls(); draw(); } });
}

export default { render };
