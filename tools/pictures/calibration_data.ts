// node test/harness/run.mjs ../tools/pictures/calibration_data   trains on synthetic pictures and writes their scores to
// tools/pictures/calibration.json (some minutes); the picture of calibration is made of them.
import { writeFile } from "node:fs/promises";
import type { GoodImage } from "../../src/detection/material.ts";
import { Training } from "../../src/detection/training.ts";
import { synthesise, type SyntheticImage } from "../../src/data/synthetic.ts";
import { openDevice } from "../../src/node/device.ts";
import type { CalibrationData } from "./calibration.ts";

const SIZE = 128; // pixels along a picture
const PICTURES = { size: SIZE, train: 300, good: 60, defective: 20, seed: 7 };
const EPOCHS = 7; // about 400 steps
const SAID_EVERY = 50; // steps
const DIGITS = 6;

const imageOf = ({ rgba }: SyntheticImage) => ({ width: SIZE, height: SIZE, data: rgba });

/** Trains, scores and writes. */
export async function main(): Promise<number> {
  const [scene] = synthesise(PICTURES);
  if (!scene) throw new Error("there is no synthetic class");
  const { name: className, train, test } = scene;
  const device = await openDevice();
  async function* images(): AsyncGenerator<GoodImage> {
    for (const each of train) yield { className, image: imageOf(each) };
  }
  const options = { inputSize: SIZE, seed: 0, epochsAbnormal: EPOCHS, epochsNormal: EPOCHS };
  const training = await Training.begin(device, images(), options);
  for await (const { taken, title, loss, secondsLeft } of training.fit())
    if (taken % SAID_EVERY === 0)
      console.error(`${title}: step ${taken}, loss ${loss}, ${Math.round(secondsLeft)} s left`);
  const detector = await training.finish();
  const rounded = (value: number): number => Number(value.toPrecision(DIGITS));
  const scores = { good: [] as number[], defective: [] as number[] };
  for (const each of test) {
    const [inspection] = await detector.inspect([{ image: imageOf(each) }]);
    scores[each.defect === "good" ? "good" : "defective"].push(rounded(inspection!.score));
  }
  const data: CalibrationData = {
    pictures: { ...PICTURES, className },
    options,
    adapter: device.adapter.description,
    falseReject: training.settings.falseReject,
    heldOut: training.heldOut.map(({ score, peak }) => ({ score: rounded(score), peak: rounded(peak) })),
    ...scores,
  };
  await writeFile("tools/pictures/calibration.json", `${JSON.stringify(data, null, 1)}\n`);
  return 0;
}
