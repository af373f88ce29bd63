import { join } from "node:path";
import type { Item } from "../../src/data/dataset.ts";
import { isEvenColour } from "../../src/io/image.ts";
import { createBackbone } from "../../src/backbones/registry.ts";
import { rawAssembly } from "../../src/detection/assembly.ts";
import { ChannelStatistics, FeatureMaker } from "../../src/detection/features.ts";
import type { Method, MethodOptions } from "../../src/methods/method.ts";
import type { TrainingOptions } from "../../src/detection/training_options.ts";
import { readDataset } from "../../src/node/dataset.ts";
import { FeatureFile, stampOf } from "../../src/node/feature_file.ts";
import { decodeImage, decodeMasks } from "../../src/node/images.ts";
import type { Device } from "../../src/runtime/device.ts";
import { placementOf } from "../../src/io/placement.ts";
import { release, toArray } from "../../src/tensor/tensor.ts";

/** A test image as the backbone sees it. */
export interface TestImage {
  /** Relative to the dataset. */
  readonly path: string;
  readonly defective: boolean;
  /** cells x cells x channels */
  readonly features: Float32Array;
  /** size x size, 1 where defective; null where unknown. */
  readonly mask: Uint8Array | null;
}

export interface FeatureClass {
  readonly name: string;
  readonly train: readonly Float32Array[];
  readonly test: readonly TestImage[];
}

/** A dataset's features from its backbone. */
export interface FeatureSet {
  readonly cells: number;
  readonly channels: number;
  /** Factor of each channel when features are compared without a model: 1, or the backbone's own training scale. */
  readonly scales: Float32Array;
  /** Side of the square that images were resized to, in pixels. */
  readonly size: number;
  readonly classes: readonly FeatureClass[];
}

/** A method with its options, which decide how features are assembled. */
export interface Assembling {
  readonly learner: Method;
  readonly options: MethodOptions;
}

/**
 * A dataset's features: those that an earlier call kept for the same images and backbone, and the others computed from
 * the images.
 * @param folder location of such files
 */
export async function featuresOf(
  device: Device,
  root: string,
  options: TrainingOptions,
  { learner, options: own }: Assembling,
  folder: string,
): Promise<FeatureSet> {
  const { classes } = await readDataset(root);
  const { inputSize = 224, resize = "stretch", padding = null, weights = null, backbone: name = "embedded" } = options;
  const backbone = await createBackbone(device, name, { inputSize, padding, weights });
  const maker = new FeatureMaker(device, backbone, learner.assembly(own, backbone), resize);
  try {
    const { height: cells, channels } = maker.extents;
    const key = JSON.stringify({ ...backbone.identity, assembly: rawAssembly(maker.assembly), inputSize, resize });
    const shown = classes.map(({ name }) => name).join("+");
    const file = await FeatureFile.open(folder, `${shown.slice(0, 60)}.${name}`, key, cells * cells * channels);
    const items = classes.flatMap(({ train, test }) => [...train, ...test]);
    const values = await keptFeatures(file, maker, root, items).finally(() => file.close());
    const featuresOfItem = new Map(items.map((item, i) => [item, values[i]!]));
    const read = async (item: Item): Promise<TestImage> => ({
      path: item.path,
      defective: item.defective,
      features: featuresOfItem.get(item)!,
      mask: await decodeMasks(
        item.masks.map((mask) => join(root, mask)),
        inputSize,
        inputSize,
        (picture) => placementOf(resize, picture, { width: inputSize, height: inputSize }),
      ),
    });
    const sets = classes.map(async ({ name, train, test }): Promise<FeatureClass> => ({
      name,
      train: train.map((item) => featuresOfItem.get(item)!),
      test: await Promise.all(test.map(read)),
    }));
    const good = classes.flatMap(({ train }) => train.map((item) => featuresOfItem.get(item)!));
    const scales = backbone.standardise ? scalesOf(channels, good) : new Float32Array(channels).fill(1);
    return { cells, channels, scales, size: inputSize, classes: await Promise.all(sets) };
  } finally {
    maker.release();
  }
}

/** One over each channel's standard deviation, bounded as in training for a channel that hardly varies. */
function scalesOf(channels: number, images: readonly Float32Array[]): Float32Array {
  const statistics = new ChannelStatistics(channels);
  for (const features of images) statistics.add(features);
  const { variances } = statistics;
  const floor = (1e-4 * variances.reduce((sum, variance) => sum + variance, 0)) / channels;
  return Float32Array.from(variances, (variance) => 1 / Math.sqrt(variance + floor));
}

/** Features of images, in order, of which the file keeps those that it has not. */
async function keptFeatures(
  file: FeatureFile,
  maker: FeatureMaker,
  root: string,
  items: readonly Item[],
): Promise<Float32Array[]> {
  const values: Float32Array[] = [];
  for (const { path } of items) {
    const stamp = await stampOf(join(root, path));
    if (!file.find(path, stamp)) {
      const started = performance.now();
      const image = await decodeImage(join(root, path));
      const features = async function* (): AsyncGenerator<Float32Array> {
        const tensor = maker.rawOf([image]);
        yield await toArray(tensor);
        release(tensor);
      };
      const { width, height } = image;
      await file.add(features(), () => {
        const seconds = (performance.now() - started) / 1000;
        return { path, stamp, width, height, even: isEvenColour(image), seconds };
      });
      if ((values.length + 1) % 20 === 0) console.error(`features of ${values.length + 1} of ${items.length} images`);
    }
    values.push(await file.read({ path }));
  }
  return values;
}
