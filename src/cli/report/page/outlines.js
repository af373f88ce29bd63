// ---- Outlines of what exceeds the threshold

const classOf = new Map(data.classes.map((c) => [c.name, c]));
/** The maps of samples in 8 bits, as soon as they are decoded. */
const mapOf = new Map();
const foundSamples = new Map();

function foundLayer(sample) {
  const layer = stamp("found", {});
  foundSamples.set(layer, sample);
  return layer;
}

/** The pixel threshold in levels of a class's maps: moved as far as the threshold, on the maps' logarithmic scale. */
function levelOf(className) {
  const { pixelThreshold, steepness } = classOf.get(className);
  const odds = Math.min(Math.max(state.threshold, 1e-6), 1 - 1e-6);
  const value = pixelThreshold * (odds / (1 - odds)) ** (1 / steepness);
  const [low, high] = data.mapRange;
  return Math.max((255 * Math.log(value / low)) / Math.log(high / low), 0.5);
}

function drawFound(layer, sample) {
  const map = mapOf.get(sample);
  if (map === undefined) return;
  layer.setAttribute("viewBox", `0 0 ${map.width} ${map.height}`);
  const line = contourOf(map, levelOf(sample.className));
  for (const path of layer.children) path.setAttribute("d", line);
}

/**
 * The lines along which a map has a level, by marching squares between the centres of its pixels; closed at the
 * edges, since outside everything is 0.
 */
function contourOf({ width, height, levels }, level) {
  const at = (x, y) => (x < 0 || y < 0 || x >= width || y >= height ? 0 : levels[y * width + x]);
  const inside = (position, side) => Math.min(Math.max(position + 0.5, 0), side).toFixed(2);
  const parts = [];
  for (let y = -1; y < height; y++) {
    let [topLeft, bottomLeft] = [0, 0];
    for (let x = -1; x < width; x++) {
      const [topRight, bottomRight] = [at(x + 1, y), at(x + 1, y + 1)];
      const corners = [topLeft, topRight, bottomRight, bottomLeft];
      [topLeft, bottomLeft] = [topRight, bottomRight];
      const first = corners[0] > level;
      if (corners[1] > level === first && corners[2] > level === first && corners[3] > level === first) continue;
      const ends = [];
      for (let side = 0; side < 4; side++) {
        const [from, to] = [corners[side], corners[(side + 1) % 4]];
        if (from > level === to > level) continue;
        const way = (level - from) / (to - from);
        const [dx, dy] = [
          [way, 0],
          [1, way],
          [1 - way, 1],
          [0, 1 - way],
        ][side];
        ends.push(`${inside(x + dx, width)} ${inside(y + dy, height)}`);
      }
      // Where opposite corners agree there are two lines: what is above is taken to be apart.
      if (ends.length === 4 && first) ends.unshift(ends.pop());
      for (let i = 0; i < ends.length; i += 2) parts.push(`M${ends[i]}L${ends[i + 1]}`);
    }
  }
  return parts.join("");
}

/** Those that are on the page; the others are drawn when they come. */
function drawFoundLayers() {
  for (const [layer, sample] of foundSamples) if (layer.isConnected) drawFound(layer, sample);
}

for (const sample of data.samples) {
  const image = new Image();
  image.src = sample.map;
  image.decode().then(
    () => {
      const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.drawImage(image, 0, 0);
      const { width, height, data: rgba } = context.getImageData(0, 0, canvas.width, canvas.height);
      mapOf.set(sample, {
        width,
        height,
        levels: Uint8Array.from({ length: width * height }, (_, i) => rgba[4 * i]),
      });
      drawFoundLayers();
    },
    () => undefined,
  ); // without its map an image has no outline, and all else
}
