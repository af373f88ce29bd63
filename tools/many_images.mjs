// Makes many small pictures from a few, as input for predict: node tools/many_images.mjs FROM FOLDER COUNT [SIZE]
// Each is one of those in FROM, flipped and brightened a little; every twentieth has a stain. A thousand per folder.
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";

const [from, folder, count, size = "128"] = process.argv.slice(2);
if (!(folder && Number(count) > 0)) throw new Error("node tools/many_images.mjs FROM FOLDER COUNT [SIZE]");
const side = Number(size);
const raw = { width: side, height: side, channels: 3 };
const sources = await Promise.all(
  (await readdir(from))
    .sort()
    .map((name) => sharp(join(from, name)).resize(side, side, { fit: "fill" }).removeAlpha().raw().toBuffer()),
);
const stain = await sharp({
  create: { width: Math.ceil(side / 6), height: Math.ceil(side / 6), channels: 3, background: "#402010" },
})
  .png()
  .toBuffer();

for (let i = 0; i < Number(count); i++) {
  const within = join(folder, String(Math.floor(i / 1000)).padStart(2, "0"));
  if (i % 1000 === 0) await mkdir(within, { recursive: true });
  const stains = i % 20 === 0 ? [{ input: stain, left: (i * 37) % (side >> 1), top: (i * 53) % (side >> 1) }] : [];
  const picture = sharp(sources[i % sources.length], { raw })
    .flip(i % 2 === 1)
    .flop(i % 4 > 1)
    .linear(0.99 + (i % 21) / 1000, 0)
    .composite(stains);
  await picture
    .removeAlpha()
    .png({ compressionLevel: 1 })
    .toFile(join(within, `${String(i).padStart(5, "0")}.png`));
}
