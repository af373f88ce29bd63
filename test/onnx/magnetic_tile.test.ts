// Photographs and published EfficientNet-B4 weights, where they lie beside the project: the exported detector sees what
// PIL would make of them.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "vitest";
import type { DecodedImage } from "../../src/io/image.ts";
import type { TrainingImage } from "../../src/detection/views.ts";
import { Training } from "../../src/detection/training.ts";
import { openWeights } from "../../src/node/weights.ts";
import { readDataset } from "../../src/node/dataset.ts";
import { decodeImage } from "../../src/node/images.ts";
import { imagesToTensor } from "../../src/ops/images.ts";
import { toArray } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";
import { differencesOf, expectClose, runOnnx, sessionOf } from "./onnxruntime.ts";
import { inputsOf } from "../harness/inputs.ts";

const beside = (path: string): string => new URL(`../../../shared/${path}`, import.meta.url).pathname;
const WEIGHTS = beside("weights/tf_efficientnet_b4_features.safetensors");
const TILES = beside("data/magnetic_tile");
const STEPS = 20; // enough that weights have moved from where they began

/** Photographs as bytes of the model's input size, resized as PIL resizes. */
async function resized(pictures: readonly DecodedImage[], size: number): Promise<DecodedImage[]> {
  using _scope = device.scope({ awaits: true });
  const unit = { mean: [0, 0, 0], std: [1, 1, 1] } as const;
  const read = toArray(imagesToTensor(device, pictures, { height: size, width: size, ...unit }));
  return cut(await read, pictures.length, size);
}

const cut = (values: Float32Array, count: number, size: number): DecodedImage[] =>
  Array.from({ length: count }, (_, n) => {
    const byte = (i: number, c: number): number => Math.round(255 * values[(n * size * size + i) * 3 + c]!);
    const data = Uint8Array.from({ length: 4 * size * size }, (_, at) => (at % 4 === 3 ? 255 : byte(at >> 2, at % 4)));
    return { width: size, height: size, data };
  });

test.skipIf(![WEIGHTS, TILES].every((path) => existsSync(path)))(
  "onnxruntime gives a B4 detector's scores on photographs",
  async () => {
    const [tiles] = (await readDataset(TILES)).classes;
    const read = (path: string) => decodeImage(join(TILES, path));
    async function* good(): AsyncGenerator<TrainingImage> {
      for (const { path } of tiles!.train.slice(0, 6)) yield { className: tiles!.name, image: await read(path) };
    }
    const weights = await openWeights(WEIGHTS);
    const training = await Training.begin(device, good(), {
      backbone: "efficientnet-b4",
      weights,
      decoder: "tiny",
      batch: 2,
      folds: 0,
      epochsAbnormal: 1,
      leastAbnormal: 20,
    });
    let steps = 0;
    for await (const _step of training.fit()) if (++steps === STEPS) break;
    const detector = await training.finish();
    const chosen = [
      tiles!.test.find(({ defective }) => !defective)!,
      ...tiles!.test.filter(({ defective }) => defective).slice(0, 3),
    ];
    const pictures = await Promise.all(chosen.map(({ path }) => read(path)));
    const session = await sessionOf(detector);
    const outputs = await runOnnx(session, await resized(pictures, detector.config.input.size));
    expectClose(differencesOf(outputs, await detector.inspect(inputsOf(pictures))));
    await session.release();
    detector.release();
  },
);
