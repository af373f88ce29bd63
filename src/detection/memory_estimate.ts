import { blankBackbone, isPretrained, type BackboneName } from "../backbones/registry.ts";
import type { DecodedImage } from "../io/image.ts";
import type { Assembly, Json, Method, MethodOptions } from "../methods/method.ts";
import { DEFAULT_METHOD, loadMethod } from "../methods/registry.ts";
import { Weights, type StoredTensors } from "../nn/weights.ts";
import type { Device } from "../runtime/device.ts";
import { briefOptions, resolveOptions } from "../runtime/option_table.ts";
import { bytesOf, empty, fromArray, release, toArray, type FloatDType, type Tensor } from "../tensor/tensor.ts";
import { stageNames } from "./assembly.ts";
import { NOT_CALIBRATED } from "./calibration.ts";
import { storageOf } from "../nn/storage.ts";
import { Detector, requireFeaturesOf, type DetectorConfig } from "./detector.ts";
import { FeatureExtractor, FeatureMaker } from "./features.ts";
import { featureDType } from "./feature_store.ts";

/** A model, as far as its memory goes. */
export interface MemoryModel {
  readonly backbone: BackboneName;
  /** Side of the square that images are resized to, pixels. */
  readonly inputSize: number;
  readonly assembly: Assembly;
  readonly method: Method;
  readonly config: Json;
  readonly options: MethodOptions;
  /** Images of the training set. */
  readonly images: number;
}

const IMAGES = 100; // of a training set of which nothing is known
const SIDE = 1024; // of the photographs, pixels: what resizes them takes four bytes a pixel
const VARIANCE = 24; // of the features: any will do

/** Peak GPU buffer memory of a model, in bytes. Driver overhead comes on top. */
export interface MemoryEstimate {
  /** Null for a method that sees pixels. */
  readonly backbone: BackboneName | null;
  readonly method: string;
  /** Options that differ from their defaults, and `batch`, if the method has one. */
  readonly options: MethodOptions;
  /** With that many images, without their features: add `featureBytes` for each that is kept on the device. */
  readonly training: { readonly bytes: number; readonly images: number; readonly featureBytes: number };
  readonly inference: { readonly bytes: number; readonly batch: number; readonly half: boolean };
}

/** Options of a model that is yet to be trained; the rest is as in training. */
export interface MemoryModelOptions {
  readonly method?: string | undefined;
  readonly backbone?: BackboneName | undefined;
  readonly stages?: readonly string[] | null | undefined;
  readonly inputSize?: number | undefined;
  readonly options?: MethodOptions | undefined;
  /** Images of the training set, on which the size of some methods' models depends. Default 100. */
  readonly images?: number | undefined;
}

/** The model that such options would make. */
export async function planMemoryModel(
  device: Device,
  {
    method: methodName = DEFAULT_METHOD,
    backbone: name = "embedded",
    stages = null,
    inputSize = 224,
    options: given = {},
    images = IMAGES,
  }: MemoryModelOptions,
): Promise<MemoryModel> {
  const method = await loadMethod(methodName);
  const options = resolveOptions(method.name, method.options, given, {
    pretrained: isPretrained(name),
  });
  const { device: idle } = device.dryRun();
  const backbone = await blankBackbone(idle, name, { inputSize, stages });
  const assembly = method.assembly(options, backbone);
  const { extents } = new FeatureMaker(idle, backbone, assembly, "stretch");
  const config = method.configure({ ...extents, variance: VARIANCE, images }, options);
  return { backbone: name, inputSize, assembly, method, options, images, config };
}

/**
 * The model that a file holds; options that are not in its configuration are as in training.
 * @param tensors what the file has besides; sizes that they do not have are refused before any work
 * @param source the file's name, for errors
 * @param images of the training set
 * @throws InputError if a tensor is missing or has another shape than the configuration says
 */
export async function storedMemoryModel(
  device: Device,
  config: DetectorConfig,
  tensors: StoredTensors,
  source: string,
  given: MethodOptions = {},
  images = IMAGES,
): Promise<MemoryModel> {
  const {
    method: { name, config: modelConfig },
    backbone,
    input,
    assembly,
  } = config;
  const method = await loadMethod(name);
  const known = Object.entries(modelConfig as Readonly<Record<string, unknown>>).filter(([option]) =>
    Object.hasOwn(method.options, option),
  );
  const options = resolveOptions(
    method.name,
    method.options,
    { ...Object.fromEntries(known), ...given },
    { pretrained: isPretrained(backbone.name) },
  );
  const model = {
    backbone: backbone.name as BackboneName,
    inputSize: input.size,
    assembly,
    method,
    options,
    images,
    config: modelConfig,
  };
  const { device: idle } = device.dryRun();
  method.restore(modelConfig, Weights.stored(idle, tensors, source));
  requireFeaturesOf((await blankMaker(idle, model)).maker, method.validate(modelConfig), source);
  return model;
}

/** Estimates by dry runs the memory of training a model and of scoring batches with it. */
export async function estimateMemory(
  device: Device,
  model: MemoryModel,
  { batch = 1, half = false }: { readonly batch?: number | undefined; readonly half?: boolean | undefined },
): Promise<MemoryEstimate> {
  const { maker } = await blankMaker(device.dryRun().device, model);
  const { height, width, channels } = maker.extents;
  return {
    backbone: "pixels" in model.assembly ? null : model.backbone,
    method: model.method.name,
    options: model.options,
    training: {
      bytes: await trainingBytes(device, model),
      images: model.images,
      featureBytes: bytesOf({
        shape: [height, width, channels],
        dtype: featureDType(device, maker.backbone.standardise),
      }),
    },
    inference: { bytes: await inferenceBytes(device, model, batch, half), batch, half },
  };
}

/**
 * Peak GPU buffer memory of a dry run that scores batches of 1024 x 1024 photographs, including the model's, in bytes.
 * @param device its limits and features decide how it is done
 * @param half whether in half precision (`DetectorOptions`)
 * @throws UnsupportedError for half precision where the device lacks it
 */
export async function inferenceBytes(device: Device, model: MemoryModel, batch: number, half = false): Promise<number> {
  const { device: idle, held } = device.dryRun();
  const dtype = storageOf(device, half);
  const { method, config: modelConfig, assembly, inputSize } = model;
  const { maker, extractor } = await blankMaker(idle, model, dtype);
  const config: DetectorConfig = {
    method: { name: method.name, config: modelConfig },
    backbone: maker.backbone.identity,
    input: { size: inputSize, resize: "stretch" },
    regions: false,
    assembly,
    scoring: method.scoring(model.options),
    calibration: NOT_CALIBRATED,
  };
  const weights = Weights.blank(idle);
  const restored = method.restore(await adjusted(device, method, modelConfig, maker), weights);
  weights.freeze(dtype);
  const detector = Detector.assemble(extractor, restored, config);
  await detector.inspect(Array.from({ length: batch }, () => ({ image: picture() })));
  return held.peakBytes;
}

/** Peak bytes of GPU buffers while a model is trained; the training set's features come to that. */
export async function trainingBytes(device: Device, model: MemoryModel): Promise<number> {
  const { device: idle, held } = device.dryRun();
  const { maker, extractor } = await blankMaker(idle, model);
  const { height, width, channels } = maker.extents;
  const first = maker.rawOf([picture()]);
  await toArray(first);
  const std = blank(idle, [channels]);
  idle.tidy(() => void extractor.standardise(first));
  release(first);
  const options = { ...model.options, ...briefOptions(model.method.options) };
  const features = (indices: readonly number[]): Promise<Tensor> =>
    Promise.resolve(empty(idle, [indices.length, height, width, channels]));
  const { method, images } = model;
  const config = method.configure({ height, width, channels, variance: VARIANCE, images }, options);
  const input = {
    weights: Weights.blank(idle),
    features: { count: images, batch: features },
    anomalies: null,
    std,
    seed: 0,
  };
  for await (const _step of method.begin(config, options, input).steps());
  return held.peakBytes;
}

async function blankMaker(
  device: Device,
  { backbone: name, inputSize, assembly }: MemoryModel,
  dtype: FloatDType = "f32",
) {
  const backbone = await blankBackbone(device, name, { inputSize, stages: stageNames(assembly), dtype });
  const maker = new FeatureMaker(device, backbone, assembly, "stretch");
  return { maker, extractor: new FeatureExtractor(maker, () => blank(device, [maker.extents.channels])) };
}

/** A configuration as it is when a training has ended: adjusting a model may add to what scores. */
async function adjusted(device: Device, method: Method, config: Json, { extents }: FeatureMaker): Promise<Json> {
  const { device: aside } = device.dryRun();
  const model = method.restore(config, Weights.blank(aside));
  async function* heldOut() {
    yield empty(aside, [1, extents.height, extents.width, extents.channels]);
  }
  await model.adjust?.(heldOut(), null);
  return model.config;
}

const picture = (): DecodedImage => ({ width: SIDE, height: SIDE, data: new Uint8Array(4 * SIDE * SIDE) });

const blank = (device: Device, shape: readonly [number]): Tensor =>
  fromArray(device, shape, new Float32Array(shape[0]));
