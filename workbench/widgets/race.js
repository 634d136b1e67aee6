function laneTable(view) {
  const ratio = (value, row) => (row.speedup === undefined ? (row.label === view.baseline ? "baseline" : "–")
    : wb.ratio(row));
  const verdict = (value, row) => (row.error ? `failed: ${row.error.happened} ${row.error.saw}`
    : row.label === view.baseline ? "" : value || (row.count ? "too few rounds" : "–"));
  const error = (value, row) => (row.audits ? wb.detail(wb.number(value), `(${row.audits} checked)`) : "–");
  const about = view.problem ? `${view.problem}, ${wb.count(view.size)} ${view.size_means}, ${view.batch > 1 ? `batches of ${view.batch}, ` : ""}${view.cache} cache, `
    + `${view.threads} thread${view.threads === 1 ? "" : "s"}; differences under ${wb.number(100 * view.threshold, 2)} % are noise` : "No race yet";
  return wb.table(about, [
    { key: "label", label: "lane" },
    { key: "provenance", label: "obtained", render: (kind, row) => (row.count ? wb.badge(kind) : "–") },
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

// ipywidgets' sliders say nothing to a screen reader, and a button that is disabled while it has the
// focus leaves the keyboard at the top of the page: both are mended here, from beside the controls.
let pressed = null;
function nameControls(root) {
  const box = root.closest(".widget-vbox")?.querySelector(".wb-race-controls");
  const [start, stop] = box?.querySelectorAll("button") || [];
  if (!stop) return;
  for (const slider of box.querySelectorAll(".widget-slider")) {
    const handle = slider.querySelector("[role=slider]"), text = (part) => slider.querySelector(part)?.textContent || "";
    handle?.setAttribute("aria-label", text(".widget-label"));
    if (handle?.getAttribute("aria-valuetext") !== text(".widget-readout")) handle?.setAttribute("aria-valuetext", text(".widget-readout"));
  }
  if (!box.dataset.wbNamed) {
    box.dataset.wbNamed = "yes";
    for (const button of [start, stop]) button.onfocus = () => { pressed = button; };
    new MutationObserver(() => nameControls(root)).observe(box, { subtree: true, childList: true, characterData: true,
      attributeFilter: ["aria-valuetext", "disabled"] });
  }
  const other = pressed === start ? stop : start;
  if (box.contains(pressed) && pressed.disabled && !other.disabled
    && [document.body, pressed].includes(document.activeElement)) other.focus();
}

function render({ model, el }) {
  const root = wb.root(el, "Race");
  const picture = wb.el("div"), words = wb.el("div"), under = wb.el("div");
  root.append(picture, words, under);
  const say = wb.sentence(words);
  const controls = wb.frame(() => nameControls(root));
  const draw = wb.frame(() => {
    const view = model.get("view");
    controls();
    picture.replaceChildren(wb.lanes(view) || wb.el("p", { class: "wb-note" }, "No samples yet."));
    say(view.sentence);
    const trouble = view.trouble ? wb.el("p", { class: "wb-warning", role: "alert" }, view.trouble) : null;
    const waiting = view.waiting ? wb.el("p", { class: "wb-note" }, view.waiting) : null;
    const offered = model.get("choices").targets, missing = offered.filter((one) => one.known && !one.usable);
    const sought = offered.filter((one) => !one.known).map((one) => one.name);
    const looking = sought.length ? wb.el("p", { class: "wb-note" }, `Looking for ${sought.join(", ")}.`) : null;
    const warnings = (view.warnings || []).map((one) => wb.el("p", { class: "wb-warning" }, one));
    const notes = view.lanes.flatMap((lane) => lane.notes.map((one) => wb.el("p", { class: "wb-note" }, `${lane.label}: ${one}`)));
    under.replaceChildren(...[trouble, looking, waiting, ...warnings, laneTable(view), ...notes,
      missing.length ? wb.table("Not in reach here", [
        { key: "name", label: "target" }, { key: "reason", label: "why not" }, { key: "remedy", label: "what to do" },
      ], missing) : null].filter(Boolean));
  });
  draw();
  return wb.listen(model, { "change:view": draw, "change:choices": draw });
}

export default { render };
