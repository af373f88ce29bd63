import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Item } from "../../src/data/dataset.ts";
import { decodeSafetensors, encodeSafetensors, float32Of } from "../../src/io/safetensors.ts";
import { createBackbone } from "../../src/backbones/registry.ts";
import { ChannelStatistics, FeatureMaker } from "../../src/detection/features.ts";
import type { Method, MethodOptions } from "../../src/methods/method.ts";
import type { TrainingOptions } from "../../src/detection/training_options.ts";
import { readDataset } from "../../src/node/dataset.ts";
import { ensureWritableFolder, writeFileAtomic } from "../../src/node/files/files.ts";
import { readBytes } from "../../src/node/files/read.ts";
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
 * A dataset's features: from the file that an earlier call wrote for the same images and backbone, otherwise computed
 * from the images.
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
    const items = classes.flatMap(({ train, test }) => [...train, ...test]);
    const stamps = await Promise.all(items.map(async ({ path }) => [path, (await stat(join(root, path))).mtimeMs]));
    const identity = JSON.stringify({ ...backbone.identity, assembly: maker.assembly, inputSize, resize, stamps });
    const path = join(
      folder,
      `${classes
        .map(({ name }) => name)
        .join("+")
        .slice(0, 60)}.${name}.${learner.name}.features`,
    );
    const kept = await readFeatures(path, identity);
    const extract = async (item: Item): Promise<Float32Array> => {
      const features = maker.rawOf([await decodeImage(join(root, item.path))]);
      const values = await toArray(features);
      release(features);
      return values;
    };
    const values = kept ?? (await extracted(items, extract));
    if (!kept) {
      await ensureWritableFolder(folder);
      const tensors = values.map((features, i) => {
        const bytes = new Uint8Array(features.buffer, features.byteOffset, features.byteLength);
        return [String(i), { dtype: "F32", shape: [cells, cells, channels], bytes }] as const;
      });
      await writeFileAtomic(path, encodeSafetensors({ tensors: new Map(tensors), metadata: { identity } }));
    }
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

async function extracted(
  items: readonly Item[],
  extract: (item: Item) => Promise<Float32Array>,
): Promise<Float32Array[]> {
  const values: Float32Array[] = [];
  for (const item of items) {
    values.push(await extract(item));
    if (values.length % 20 === 0) console.error(`features of ${values.length} of ${items.length} images`);
  }
  return values;
}

/** Features that an earlier call saved; null if there are none, or they are of other images or another backbone. */
async function readFeatures(path: string, identity: string): Promise<Float32Array[] | null> {
  if (!(await stat(path).catch(() => null))) return null;
  const { tensors, metadata } = decodeSafetensors(await readBytes(path), path);
  if (metadata["identity"] !== identity) return null;
  return Array.from({ length: tensors.size }, (_, i) => float32Of(tensors.get(String(i))!, `${i} of ${path}`));
}
