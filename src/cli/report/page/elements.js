// ---- Elements

/** A copy of a template with its slots filled, as text. */
function stamp(id, texts) {
  const element = byId(id).content.firstElementChild.cloneNode(true);
  for (const slot of element.querySelectorAll("[data-slot]")) slot.textContent = texts[slot.dataset.slot] ?? "";
  return element;
}

function element(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function picture(source, name, alt) {
  const image = element("img", "", { class: name, alt, decoding: "async", draggable: "false" });
  image.src = source;
  return image;
}

/**
 * The three layers of a sample. What the picture is stands beside it or in the button's name: the layers need no alt
 * text twice.
 */
function layersOf(sample, alt) {
  const layers = [picture(sample.picture, "picture", alt), picture(sample.heat, "heat", "")];
  if (sample.contour !== null) layers.push(picture(sample.contour, "contour", ""));
  layers.push(foundLayer(sample));
  return sheetOf(sample, layers);
}

/** Layers on top of each other, in the photograph's shape, in the middle of a square frame. */
function sheetOf({ aspect }, layers) {
  const sheet = element("span", "", { class: "sheet" });
  const [width, height] = [Math.min(1, aspect), Math.min(1, 1 / aspect)];
  Object.assign(sheet.style, {
    width: `${100 * width}%`,
    height: `${100 * height}%`,
    left: `${50 * (1 - width)}%`,
    top: `${50 * (1 - height)}%`,
  });
  sheet.append(...layers);
  return sheet;
}
