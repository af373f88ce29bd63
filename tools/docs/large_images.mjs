// node tools/docs/large_images.mjs DIR   writes the photographs of docs/large_images.md in MVTec's layout: woven cloth,
// and the same with spots of ten pixels.
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { runnerImport } from "vite";

const [SIDE, SPOT] = [1280, 10]; // pixels
const [TRAIN, GOOD, SPOTTED] = [9, 6, 6]; // photographs
const DARKER = 0.5;

const load = (file) => runnerImport(file, { configFile: false, logLevel: "warn" });
const { module: synthetic } = await load("src/data/synthetic.ts");
const { module: drawing } = await load("src/tensor/random.ts");

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error("usage: node tools/docs/large_images.mjs DIR");

async function write(path, pixels, channels) {
  const file = join(folder, path);
  await mkdir(dirname(file), { recursive: true });
  const raw = { width: SIDE, height: SIDE, channels };
  const picture = sharp(pixels, { raw });
  await (channels === 1 ? picture.toColourspace("b-w") : picture.removeAlpha()).png().toFile(file);
}

const [cloth] = synthetic.synthesise({ size: SIDE, train: TRAIN, good: GOOD + SPOTTED, defective: 0, seed: 5 });
for (const { name, rgba } of cloth.train) await write(`train/good/${name}.png`, rgba, 4);
const random = new drawing.RandomStream(5, 1);
for (const [i, { name, rgba }] of cloth.test.entries()) {
  if (i < GOOD) {
    await write(`test/good/${name}.png`, rgba, 4);
    continue;
  }
  const [left, top] = [random.unit(), random.unit()].map((u) => Math.floor(u * (SIDE - SPOT)));
  const mask = new Uint8Array(SIDE * SIDE);
  for (let y = 0; y < SPOT; y++) {
    for (let x = 0; x < SPOT; x++) {
      if (Math.hypot(x + 0.5 - SPOT / 2, y + 0.5 - SPOT / 2) > SPOT / 2) continue;
      const at = (top + y) * SIDE + left + x;
      mask[at] = 255;
      for (let c = 0; c < 3; c++) rgba[4 * at + c] *= DARKER;
    }
  }
  await write(`test/spot/${name}.png`, rgba, 4);
  await write(`ground_truth/spot/${name}_mask.png`, mask, 1);
}
