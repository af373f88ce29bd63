"use strict";

(() => {
  const byId = (id) => document.getElementById(id);
  const [drop, files, model, className, threshold, token, state, results] = [
    "drop",
    "files",
    "model",
    "class",
    "threshold",
    "token",
    "state",
    "results",
  ].map(byId);

  function say(text, isWrong = false) {
    state.textContent = text;
    state.classList.toggle("wrong", isWrong);
  }

  /** An element with a text; a class where one is given. */
  function element(name, text, className = "") {
    const made = document.createElement(name);
    made.textContent = text;
    made.className = className;
    return made;
  }

  async function ask(path, options = {}) {
    const headers = token.value === "" ? {} : { authorization: `Bearer ${token.value}` };
    const response = await fetch(path, { ...options, headers });
    if (response.status === 401) byId("token-field").hidden = false;
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error);
    return answer;
  }

  let models = [];

  /** Offers the classes of the chosen model, where it has several. */
  function listClasses() {
    const { classes } = models.find(({ name }) => name === model.value) ?? { classes: [] };
    const any = new Option("any: highest threshold", "");
    className.replaceChildren(any, ...classes.map((name) => new Option(name, name))); // the value keeps all spaces
    byId("class-field").hidden = classes.length < 2;
  }

  async function listModels() {
    try {
      ({ models } = await ask("v1/models"));
      model.replaceChildren(...models.map(({ name }) => element("option", name)));
      listClasses();
      say("");
    } catch (error) {
      say(error.message, true);
    }
  }

  function shown({ image, verdict, calibrated, width, height, defects, area, heatMap }) {
    const section = element("section", "", "result");
    const picture = new Image();
    picture.src = `data:image/png;base64,${heatMap}`;
    picture.alt = `Heat map of ${image}`;
    const text = element("div", "");
    const list = element("dl", "");
    const rows = [
      ["calibrated score", calibrated.toFixed(3)],
      ["defects", String(defects.length)],
      ["defective pixels", `${area} of ${width * height}`],
      ["size", `${width} × ${height}`],
    ];
    for (const [name, value] of rows) list.append(element("dt", name), element("dd", value));
    text.append(element("h2", image), element("p", verdict, `verdict ${verdict}`), list);
    section.append(picture, text);
    return section;
  }

  async function inspect(chosen) {
    if (chosen.length === 0) return;
    const form = new FormData();
    for (const file of chosen) form.append("image", file);
    const query = new URLSearchParams({ heat: "png", threshold: threshold.value });
    if (model.value !== "") query.set("model", model.value);
    if (className.value !== "") query.set("class", className.value);
    say(chosen.length === 1 ? `Inspecting ${chosen[0].name} …` : `Inspecting ${chosen.length} images …`);
    try {
      const { images, skipped } = await ask(`v1/inspect?${query}`, { method: "POST", body: form });
      results.replaceChildren(...images.map(shown));
      say(skipped.map(({ reason }) => reason).join("; "), skipped.length > 0);
    } catch (error) {
      say(error.message, true);
    }
  }

  files.addEventListener("change", async () => {
    await inspect([...files.files]);
    files.value = ""; // the same file may be chosen again
  });
  for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", name === "dragenter" || name === "dragover");
    });
  }
  drop.addEventListener("drop", (event) => void inspect([...event.dataTransfer.files]));
  model.addEventListener("change", listClasses);
  token.addEventListener("change", () => void listModels());
  byId("ask").addEventListener("submit", (event) => event.preventDefault());
  void listModels();
})();
