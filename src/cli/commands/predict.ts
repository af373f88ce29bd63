import { basename, extname, join } from "node:path";
import type { Command } from "commander";
import sharp from "sharp";
import type { DecodedImage } from "../../io/image.ts";
import { calibratedScore, type Calibration, type GoodScores } from "../../models/calibration.ts";
import type { Inspection } from "../../models/detector.ts";
import { loadDetector, modelPath } from "../../node/detector_file.ts";
import { openDevice } from "../../node/device.ts";
import { ensureWritableFolder, writeFileAtomic } from "../../node/files.ts";
import { InputError } from "../../runtime/errors.ts";
import type { Placement } from "../../tensor/placement.ts";
import { WEIGHTS_HELP } from "../options.ts";
import { heatLayer } from "../heat.ts";
import { print } from "../output.ts";
import { showProgress } from "../progress.ts";
import { readableImages } from "../train_run.ts";

/** What `predict --json` prints of each image. */
interface Prediction {
  readonly image: string;
  readonly score: number;
  /** 0.5 at the threshold. */
  readonly calibrated: number;
  readonly verdict: "good" | "defective";
  readonly heatMap: string;
}

export function addPredict(program: Command): void {
  program
    .command("predict")
    .description("judge images: a score, a verdict and a heat map each")
    .argument("<run>", "folder that train wrote")
    .argument("<images...>", "image files")
    .requiredOption("--out <dir>", "folder for the heat maps")
    .option("--json", "one JSON object: {threshold, images: [{image, score, calibrated, verdict, heatMap}], skipped: [{image, reason}]}")
    .option("--class <name>", "which of the trained classes the images are of: its own threshold applies, instead of the highest of all")
    .option("--weights <file>", WEIGHTS_HELP)
    .option("--strict", "end at the first image that cannot be read, instead of skipping it")
    .action(async (run: string, images: string[], { out, json, weights, strict, class: className }: PredictFlags) => {
      await modelPath(run);
      await ensureWritableFolder(out);
      const detector = await loadDetector(await openDevice(), run, weights);
      const { calibration } = detector.config;
      const good = goodScoresOf(calibration, className);
      const names = heatMapNames(images);
      const predictions: Prediction[] = [];
      const skipped: { readonly image: string; readonly reason: string }[] = [];
      const bar = showProgress("Inspection", images.length);
      try {
        const items = images.map((image, i) => ({ image, heatMap: join(out, names[i]!) }));
        const onSkip = ({ image }: { readonly image: string }, { message }: Error) => void skipped.push({ image, reason: message });
        for await (const { item, image } of readableImages(items, (item) => item.image, strict ?? false, onSkip)) {
          const [inspection] = (await detector.inspect([image])) as [Inspection];
          await writeFileAtomic(item.heatMap, await heatMapOver(image, inspection, detector.placementOf(image), calibration));
          const { score } = inspection;
          const verdict = score > good.threshold ? "defective" : "good";
          predictions.push({ image: item.image, score, calibrated: calibratedScore(score, good), verdict, heatMap: item.heatMap });
          bar.update(predictions.length + skipped.length);
        }
      } finally {
        bar.end();
      }
      if (predictions.length === 0) throw new InputError(`none of the ${images.length} images could be read`);
      if (json) return print(JSON.stringify({ threshold: good.threshold, images: predictions, skipped }));
      for (const { image, calibrated, verdict, heatMap } of predictions) print(`${verdict.padEnd(9)}  ${calibrated.toFixed(3)}  ${image}  ${heatMap}`);
      const defective = predictions.filter(({ verdict }) => verdict === "defective").length;
      print(`${defective} of ${predictions.length} are called defective: those above 0.500, which ${percentOf(calibration.falseReject)} of good images are expected to exceed`);
    });
}

interface PredictFlags {
  readonly out: string;
  readonly json?: boolean;
  readonly weights?: string;
  readonly strict?: boolean;
  readonly class?: string;
}

function goodScoresOf(calibration: Calibration, className: string | undefined): GoodScores {
  if (className === undefined) return calibration;
  if (!Object.hasOwn(calibration.classes, className)) {
    throw new InputError(`the model knows no class ${className}, only ${Object.keys(calibration.classes).join(", ")}`);
  }
  return calibration.classes[className]!;
}

const percentOf = (share: number): string => `${Number((100 * share).toPrecision(3))} %`;

/** The photograph under its heat map, at the photograph's own size. */
async function heatMapOver({ data, width, height }: DecodedImage, { map, size }: Inspection, { source, target }: Placement, { heat }: Calibration): Promise<Uint8Array> {
  const overlay = await sharp(heatLayer(map, size, size, heat), { raw: { width: size, height: size, channels: 4 } })
    .extract(target)
    .resize(source.width, source.height, { fit: "fill" })
    .png()
    .toBuffer();
  return sharp(data, { raw: { width, height, channels: 4 } }).composite([{ input: overlay, left: source.left, top: source.top }]).removeAlpha().png().toBuffer();
}

/** A file name for each image's heat map: its own with .png, numbered where two images share one. */
function heatMapNames(images: readonly string[]): string[] {
  const used = new Set<string>();
  return images.map((image) => {
    const stem = basename(image, extname(image));
    let name = `${stem}.png`;
    for (let n = 2; used.has(name); n++) name = `${stem}-${n}.png`;
    used.add(name);
    return name;
  });
}
