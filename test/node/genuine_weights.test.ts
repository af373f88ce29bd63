// EfficientNet-B4 with its published weights, where they lie beside the project, against what PyTorch makes of a
// photograph.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { decodeSafetensors, float32Of } from "../../src/io/safetensors.ts";
import { createBackbone } from "../../src/backbones/registry.ts";
import { decodeImage } from "../../src/node/images.ts";
import { openWeights } from "../../src/node/weights.ts";
import { imagesToTensor } from "../../src/ops/images.ts";
import { transpose } from "../../src/ops/shape.ts";
import { fromArray, toArray, type FloatDType, type Tensor } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";

const beside = (path: string): string => new URL(`../../../shared/${path}`, import.meta.url).pathname;
const WEIGHTS = beside("weights/tf_efficientnet_b4_features.safetensors");
const FIXTURE = beside("weights/tf_efficientnet_b4_features.fixture.safetensors");
const PHOTOGRAPH = beside("photos/panda.jpg");
const isThere = [WEIGHTS, FIXTURE, PHOTOGRAPH].every((path) => existsSync(path));
const hasHalf = device.gpu.features.has("shader-f16");

const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } as const;
const SIDE = 224;

interface Layer {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** The fixture's tensors, [C, H, W] each, as numbers. */
async function fixture(): Promise<{ readonly input: Tensor; readonly layers: readonly Layer[] }> {
  const { tensors } = decodeSafetensors(await readFile(FIXTURE), "fixture");
  const values = (name: string): Float32Array => float32Of(tensors.get(name)!, name);
  const channelsFirst = fromArray(device, [1, 3, SIDE, SIDE], values("input"));
  const layers = ["block9", "block21"].map((name) => ({ name, shape: tensors.get(name)!.shape, values: values(name) }));
  return { input: transpose(channelsFirst, [0, 2, 3, 1]), layers };
}

/** Relative error, by the root of squares, of layers 3 and 4. */
async function errorsOf(image: Tensor, layers: readonly Layer[], dtype: FloatDType): Promise<number[]> {
  const network = await createBackbone(device, "efficientnet-b4", {
    inputSize: SIDE,
    weights: await openWeights(WEIGHTS),
    dtype,
  });
  const errors: number[] = [];
  for (const [i, output] of network.features(image).entries()) {
    const { shape, values } = layers[i]!;
    const [, channels, height, width] = shape as [number, number, number, number];
    expect(output.shape).toEqual([1, height, width, channels]);
    const got = await toArray(output);
    let [difference, size] = [0, 0];
    for (let c = 0; c < channels; c++) {
      for (let p = 0; p < height * width; p++) {
        const want = values[c * height * width + p]!;
        difference += (got[p * channels + c]! - want) ** 2;
        size += want ** 2;
      }
    }
    errors.push(Math.sqrt(difference / size));
  }
  network.release();
  return errors;
}

const BOUNDS: readonly (readonly [FloatDType, number])[] = hasHalf
  ? [
      ["f32", 1e-5],
      ["f16", 5e-3],
    ]
  : [["f32", 1e-5]];

test.skipIf(!isThere).each(BOUNDS)("layers 3 and 4 are PyTorch's, stored in %s", async (dtype, bound) => {
  using _scope = device.scope({ awaits: true });
  const { input, layers } = await fixture();
  const errors = await errorsOf(input, layers, dtype);
  for (const error of errors) expect(error).toBeLessThan(bound);
});

test.skipIf(!isThere)(
  "layers 3 and 4 are PyTorch's from the photograph itself: decoded, cropped and resized as PIL does",
  async () => {
    using _scope = device.scope({ awaits: true });
    const { layers } = await fixture();
    const image = imagesToTensor(device, [await decodeImage(PHOTOGRAPH)], {
      height: SIDE,
      width: SIDE,
      ...IMAGENET,
      resize: "crop",
    });
    for (const error of await errorsOf(image, layers, "f32")) expect(error).toBeLessThan(1e-3);
  },
);
