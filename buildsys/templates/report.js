(() => {
  "use strict";
  const form = document.getElementById("filters");
  if (!form) return;
  const rows = [...document.querySelectorAll("#modules tbody tr")];
  const status = document.getElementById("shown");
  const texts = new Map();
  const textOf = (row) => {
    if (!texts.has(row)) {
      const detail = document.getElementById(row.dataset.module);
      const own = row.textContent + " " + (detail ? detail.parentElement.textContent : "");
      texts.set(row, own.toLowerCase());
    }
    return texts.get(row);
  };
  const apply = () => {
    const text = form.elements.text.value.trim().toLowerCase();
    const word = form.elements.word.value;
    const rule = form.elements.rule.value;
    let count = 0;
    for (const row of rows) {
      const isShown = (!word || row.dataset.words.split("|").includes(word))
        && (!rule || row.dataset.rules.split("|").includes(rule))
        && (!text || textOf(row).includes(text));
      row.hidden = !isShown;
      const detail = document.getElementById(row.dataset.module);
      if (detail) detail.parentElement.hidden = !isShown;
      if (isShown) count += 1;
    }
    status.textContent = count === rows.length ? "" : `${count} of ${rows.length} shown`;
  };
  const open = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const holder = target && target.closest("details");
    if (holder) {
      if (holder.hidden) { form.reset(); apply(); }
      holder.open = true;
      holder.querySelector("summary").scrollIntoView();
    }
  };
  form.hidden = false;
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(apply));
  addEventListener("hashchange", open);
  apply();
  if (location.hash) open();
})();
