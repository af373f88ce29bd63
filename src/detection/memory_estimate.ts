import type { DecodedImage } from "../io/image.ts";
import type { Device } from "../runtime/device.ts";
import { bytesOf, empty, fromArray, release, toArray, type FloatDType, type Tensor } from "../tensor/tensor.ts";
import type { Backbone, BackboneName } from "../backbones/backbone.ts";
import { NOT_CALIBRATED } from "./calibration.ts";
import { createBackbone } from "../backbones/registry.ts";
import { Detector, requireFeaturesOf, storageOf, type DetectorConfig } from "./detector.ts";
import { planOf } from "../backbones/efficientnet/architecture.ts";
import { blankCheckpoint } from "../backbones/efficientnet/checkpoint.ts";
import { gradConfig, REFERENCE_VARIANCE, type DecoderName, type GradConfig } from "../methods/grad/config.ts";
import { Grad } from "../methods/grad/model.ts";
import { GradTraining } from "../methods/grad/training.ts";
import { FeatureExtractor, rawFeatures } from "./features.ts";
import { defaultBatch, defaultDecoder, defaultRecompute, featureDType } from "./training_defaults.ts";
import { Weights, type StoredTensors } from "../nn/weights.ts";
import { RandomStream } from "../tensor/random.ts";

/** What a model is, as far as its memory goes. */
export interface MemoryModel {
  readonly backbone: BackboneName;
  /** Side of the square that images are resized to, pixels. */
  readonly inputSize: number;
  /** Of the model, for features of that backbone. */
  readonly grad: GradConfig;
}

const SIDE = 1024; // of the photographs, pixels: what resizes them takes four bytes a pixel
const STEPS = 8; // of each stage: among the first eight of seed 0 some draw noise and some do not, in either

/** What a model needs, in bytes of GPU buffers at most; the part of a driver comes to that. */
export interface MemoryNeed {
  readonly backbone: BackboneName;
  readonly decoder: DecoderName;
  /** `featureBytes` come to it for each image of the training set, as far as they are kept on the device. */
  readonly training: { readonly bytes: number; readonly featureBytes: number; readonly batch: number; readonly recompute: boolean };
  readonly inference: { readonly bytes: number; readonly batch: number; readonly half: boolean };
}

/** What is said of a model; the rest is as in training. */
export interface MemoryModelOptions {
  readonly backbone?: BackboneName | undefined;
  readonly decoder?: DecoderName | undefined;
  /** As `inputSize`. */
  readonly size?: number | undefined;
}

/** A model of which only so much is said. */
export async function memoryModelOf(
  device: Device,
  { backbone: name = "embedded", decoder, size: inputSize = 224 }: MemoryModelOptions,
): Promise<MemoryModel> {
  const { cells, channels } = await blankBackbone(device.dryRun().device, name, inputSize);
  const options = { decoder: decoder ?? defaultDecoder(device) };
  return { backbone: name, inputSize, grad: gradConfig({ height: cells, width: cells, channels, variance: REFERENCE_VARIANCE }, options) };
}

/**
 * The model that a file holds.
 * @param tensors what the file has besides its configuration; sizes that they do not have are refused before any work
 * @param source the file's name, for errors
 * @throws InputError if a tensor is missing or has another shape than the configuration says
 */
export async function storedMemoryModel(
  device: Device,
  { backbone: { name }, inputSize, grad }: Pick<DetectorConfig, "backbone" | "inputSize" | "grad">,
  tensors: StoredTensors,
  source: string,
): Promise<MemoryModel> {
  const { device: idle } = device.dryRun();
  new Grad(Weights.stored(idle, tensors, source), grad, new RandomStream(0, 0));
  requireFeaturesOf(await blankBackbone(idle, name, inputSize), grad, source);
  return { backbone: name, inputSize, grad };
}

/** @param options as in `TrainingOptions`; a batch is judged at a time as well, by default 1 */
export async function memoryNeedOf(
  device: Device,
  model: MemoryModel,
  options: { readonly batch?: number | undefined; readonly recompute?: boolean | undefined; readonly half?: boolean | undefined },
): Promise<MemoryNeed> {
  const { decoder, height, width, channels } = model.grad;
  const { batch = defaultBatch(decoder), recompute = defaultRecompute(decoder), half = false } = options;
  const judged = options.batch ?? 1;
  const { standardise } = await blankBackbone(device.dryRun().device, model.backbone, model.inputSize);
  return {
    backbone: model.backbone,
    decoder,
    training: {
      bytes: await trainingBytes(device, model, batch, recompute),
      featureBytes: bytesOf({ shape: [height, width, channels], dtype: featureDType(device, standardise) }),
      batch,
      recompute,
    },
    inference: { bytes: await inferenceBytes(device, model, judged, half), batch: judged, half },
  };
}

/**
 * Bytes of GPU buffers that judging batches of so many images takes at most, the model's own among them, for photographs of 1024 x 1024
 * pixels. It is done once where nothing happens.
 * @param device whose limits and features decide how it is done
 * @param half whether in half precision (`DetectorOptions`)
 * @throws OptionError for half precision where the device lacks it
 */
export async function inferenceBytes(device: Device, { backbone: name, inputSize, grad }: MemoryModel, batch: number, half = false): Promise<number> {
  const { device: idle, held } = device.dryRun();
  const dtype = storageOf(device, half);
  const backbone = await blankBackbone(idle, name, inputSize, dtype);
  const extractor = new FeatureExtractor(backbone, "stretch", () => blank(idle, [backbone.channels]));
  const joins = { floor: 0, weight: 1 };
  const hinges = { ...(grad.hingeWeight > 0 && { abnormal: joins }), ...(grad.residualWeight > 0 && { residual: joins }) };
  const config = { backbone: backbone.settings, inputSize, fit: "stretch", regions: false, grad, hinges, calibration: NOT_CALIBRATED } as const;
  const model = blankModel(idle, grad, false);
  model.weights.settle(dtype);
  const detector = new Detector(extractor, model, config);
  await detector.inspect(Array.from({ length: batch }, picture));
  return held.peakBytes;
}

/**
 * The same of training, in batches of so many images; the training set's features come to that.
 * @param recompute as `TrainingOptions` says
 */
export async function trainingBytes(device: Device, { backbone: name, inputSize, grad }: MemoryModel, batch: number, recompute: boolean): Promise<number> {
  const { device: idle, held } = device.dryRun();
  const backbone = await blankBackbone(idle, name, inputSize);
  const { cells, channels } = backbone;
  const first = rawFeatures(idle, backbone, "stretch", [picture()]);
  await toArray(first);
  release(first);
  const extractor = new FeatureExtractor(backbone, "stretch", () => blank(idle, [channels]));
  const features = (): Promise<Tensor> => {
    using scope = idle.scope();
    return Promise.resolve(scope.keep(extractor.standardise(empty(idle, [batch, cells, cells, channels]))));
  };
  const steps = { epochsAbnormal: 1, epochsNormal: 1, epochsResidual: 1, leastAbnormal: STEPS, leastNormal: STEPS, leastResidual: STEPS };
  const options = { ...steps, enoughHits: 1, batch, seed: 0, deviations: blank(idle, [channels]) };
  const training = new GradTraining(blankModel(idle, grad, recompute), { count: batch, batch: features }, options);
  for await (const _step of training.fit());
  return held.peakBytes;
}

const picture = (): DecodedImage => ({ width: SIDE, height: SIDE, data: new Uint8Array(4 * SIDE * SIDE) });

const blank = (device: Device, shape: readonly [number]): Tensor => fromArray(device, shape, new Float32Array(shape[0]));

const blankModel = (device: Device, grad: GradConfig, recompute: boolean): Grad =>
  new Grad(Weights.blank(device), grad, new RandomStream(0, 0), recompute);

const blankBackbone = (device: Device, name: BackboneName, inputSize: number, dtype: FloatDType = "f32"): Promise<Backbone> =>
  createBackbone(device, name, { inputSize, dtype, checkpoint: name === "embedded" ? null : blankCheckpoint(planOf(name)) });
