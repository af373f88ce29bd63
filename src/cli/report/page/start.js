// ---- First drawing, colour scheme and print

drawLayers();
drawThreshold();

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const chart of charts) chart.redraw();
});

function setPrinting(printing) {
  if (root.classList.contains("printing") === printing) return;
  root.classList.toggle("printing", printing);
  printScale = printing ? 3 : 1;
  for (const chart of charts) chart.build();
}
addEventListener("beforeprint", () => setPrinting(true));
addEventListener("afterprint", () => setPrinting(false));
matchMedia("print").addEventListener("change", (event) => setPrinting(event.matches));
