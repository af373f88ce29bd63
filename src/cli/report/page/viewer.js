// ---- Viewer

const viewer = byId("viewer");
let viewed = { list: [], index: 0 };

function openViewer(sample) {
  // A mark of the score chart may belong to an image that the gallery's filter hides.
  const list = shown.includes(sample) ? shown : [sample];
  viewed = { list, index: list.indexOf(sample) };
  drawViewer();
  viewer.showModal();
}

function drawViewer() {
  const { list, index } = viewed;
  const sample = list[index];
  const verdict = verdictOf(sample);
  byId("viewer-title").textContent = `${defectText(sample)}: ${verdict.text}`;
  byId("viewer-text").textContent =
    `${placeText(sample)}, score ${scoreText(sample.score)}, threshold ${scoreText(state.threshold)}`;
  for (const layer of document.querySelectorAll("#viewer .found")) foundSamples.delete(layer);
  byId("viewer-frame").replaceChildren(layersOf(sample, `Photograph ${sample.image} with its heat map`));
  const plain = [picture(sample.picture, "picture", `Photograph ${sample.image}`)];
  if (sample.contour !== null) plain.push(picture(sample.contour, "contour", ""));
  byId("viewer-plain").replaceChildren(sheetOf(sample, plain));
  byId("viewer-mask-note").hidden = sample.contour === null;
  drawFoundLayers();
  byId("viewer-position").textContent = `${index + 1} of ${list.length}`;
  document.querySelector("#viewer .steps").hidden = list.length === 1;
}

function stepViewer(by) {
  const count = viewed.list.length;
  viewed.index = (viewed.index + by + count) % count;
  drawViewer();
}

byId("viewer-close").addEventListener("click", () => viewer.close());
byId("viewer-previous").addEventListener("click", () => stepViewer(-1));
byId("viewer-next").addEventListener("click", () => stepViewer(1));
viewer.addEventListener("click", (event) => {
  if (event.target === viewer) viewer.close();
});
viewer.addEventListener("keydown", (event) => {
  if (event.target instanceof HTMLInputElement) return;
  if (event.key === "ArrowLeft") stepViewer(-1);
  else if (event.key === "ArrowRight") stepViewer(1);
});
