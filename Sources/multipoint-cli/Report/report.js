"use strict";
// Shows one layer at a time. Without scripts the page shows all of them.
(function () {
  const choice = document.getElementById("layer");
  if (!choice) return;
  const layers = document.querySelectorAll("article.layer");
  function show() {
    for (const layer of layers) layer.hidden = layer.id !== choice.value;
  }
  choice.closest(".choice").hidden = false;
  choice.addEventListener("change", show);
  show();
})();
