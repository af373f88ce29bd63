import { MOST_SIDE, type Backbone, type BackboneIdentity, type Stage } from "../backbones/backbone.ts";
import { isObject, isWhole } from "../io/json.ts";
import { qr } from "../linalg/qr.ts";
import type { Assembly, ChannelChoice, FeatureAssembly, Method, Scoring } from "../methods/method.ts";
import { gather } from "../ops/gather.ts";
import { pointwiseConv2d } from "../ops/matmul.ts";
import type { Device } from "../runtime/device.ts";
import { OptionError } from "../runtime/errors.ts";
import { resolveOptions } from "../runtime/option_table.ts";
import { RandomStream } from "../tensor/random.ts";
import { fromArray, release, type Tensor } from "../tensor/tensor.ts";
import { isPositive } from "./calibration.ts";

const STREAM = { subset: 1, projection: 2 }; // Philox streams

/** The stages that an assembly takes of a backbone; null where it takes none but the photograph. */
export const stageNames = (assembly: Assembly): readonly string[] | null =>
  "pixels" in assembly ? null : assembly.stages;

/** True for a method that sees the photograph's own pixels: any backbone serves, and none runs. */
export const seesPixels = (method: Method): boolean =>
  "pixels" in method.assembly(resolveOptions(method.name, method.options, {}), { stages: [], standardise: false });

/** Names the source of the features that a detector's method sees: "pixels", or a backbone. */
export const sightOf = (config: {
  readonly assembly: Assembly;
  readonly backbone: Pick<BackboneIdentity, "name">;
}): string => ("pixels" in config.assembly ? "pixels" : config.backbone.name);

/** The standardising of an assembly; null for none. */
export const standardisingOf = (assembly: Assembly): FeatureAssembly["standardise"] =>
  "pixels" in assembly ? null : assembly.standardise;

/** An assembly without its standardising over a training set: where two are equal, so are the raw features. */
export const rawAssembly = (assembly: Assembly): Assembly =>
  "pixels" in assembly || assembly.standardise === "unit" ? assembly : { ...assembly, standardise: null };

/**
 * The stages of an assembly, as the backbone has them.
 * @throws OptionError if it lacks one, or has them in another order
 */
export function stagesFor({ stages }: FeatureAssembly, backbone: Pick<Backbone, "stages">): readonly Stage[] {
  const chosen = backbone.stages.filter(({ name }) => stages.includes(name));
  if (stages.length > 0 && chosen.map(({ name }) => name).join() === stages.join()) return chosen;
  const own = backbone.stages.map(({ name }) => name).join();
  throw new OptionError(`expected the stages ${stages.join()} of the backbone, it has ${own}`);
}

/** Takes the channels that an assembly leaves: what it needs for that lies on the device. */
export class ChannelMixer {
  readonly #choice: ChannelChoice;
  readonly #constant: Tensor;

  /** @throws OptionError for more than there are */
  constructor(device: Device, choice: ChannelChoice, channels: number) {
    const { kind, count, seed } = choice;
    if (count > channels) {
      throw new OptionError(`expected at most the ${channels} channels of the backbone's stages, got ${count}`);
    }
    this.#choice = choice;
    this.#constant =
      kind === "subset"
        ? fromArray(device, [count], Uint32Array.from(chosenChannels(channels, count, seed)))
        : fromArray(device, [channels, count], semiOrthogonal(channels, count, seed));
  }

  /** `[N, H, W, C]` -> `[N, H, W, count]`, f32 */
  mix(features: Tensor): Tensor {
    return this.#choice.kind === "subset"
      ? gather(features, this.#constant, 3)
      : pointwiseConv2d(features, this.#constant);
  }

  release(): void {
    release(this.#constant);
  }
}

/** Indices of so many channels, drawn without repetition, in rising order. */
export const chosenChannels = (channels: number, count: number, seed: number): number[] =>
  new RandomStream(seed, STREAM.subset)
    .permutation(channels)
    .slice(0, count)
    .sort((a, b) => a - b);

/** `[channels, count]`: the orthonormal factor of normal numbers. */
export function semiOrthogonal(channels: number, count: number, seed: number): Float32Array {
  const drawn = new RandomStream(seed, STREAM.projection).normals(channels * count, 1);
  return Float32Array.from(qr(Float64Array.from(drawn), channels, count).q);
}

const isBetween = (value: unknown, least: number, most: number): boolean =>
  isWhole(value) && value >= least && value <= most;

const MOST_SEED = 2 ** 32 - 1;

/** The fields that older files lack, as they were before they could be chosen. */
const BEFORE = { cells: "finest", enlarge: "bilinear", channels: "all" } as const;

/** An assembly from a file, with what it leaves out; null if it is none. */
export function readAssembly(value: unknown): Assembly | null {
  if (!isObject(value)) return null;
  if (value["pixels"] === true) return { pixels: true };
  const { stages, localMean, cells, enlarge, alignCorners, channels, standardise } = { ...BEFORE, ...value } as {
    readonly [Key in keyof FeatureAssembly]?: unknown;
  };
  const isChoice =
    isObject(channels) &&
    (channels["kind"] === "subset" || channels["kind"] === "projection") &&
    isBetween(channels["count"], 1, MOST_SIDE) &&
    isBetween(channels["seed"], 0, MOST_SEED);
  const isTarget = isObject(standardise) && Number.isFinite(standardise["mean"]) && isPositive(standardise["variance"]);
  const isRight =
    Array.isArray(stages) &&
    stages.length > 0 &&
    stages.every((stage) => typeof stage === "string") &&
    (localMean === 1 || localMean === 3) &&
    (cells === "finest" || isBetween(cells, 1, MOST_SIDE)) &&
    (enlarge === "bilinear" || enlarge === "nearest") &&
    typeof alignCorners === "boolean" &&
    (channels === "all" || isChoice) &&
    (standardise === null || standardise === "unit" || isTarget);
  if (!isRight) return null;
  return { stages, localMean, cells, enlarge, alignCorners, channels, standardise } as FeatureAssembly;
}

/** True if a value from a file is a scoring. */
export function isScoring(value: unknown): value is Scoring {
  if (!isObject(value)) return false;
  const { alignCorners, smoothing, image } = value as Partial<Scoring>;
  const isSide = (side: unknown): boolean => isPositive(side) && side <= MOST_SIDE;
  return (
    typeof alignCorners === "boolean" &&
    (smoothing === null ||
      (smoothing?.kind === "box" && isSide(smoothing.side)) ||
      (smoothing?.kind === "gaussian" && isSide(smoothing.sigma))) &&
    (image?.kind === "cells" ||
      image?.kind === "max" ||
      (image?.kind === "topShare" && isPositive(image.share) && image.share <= 1) ||
      (image?.kind === "windowMean" && isSide(image.side)))
  );
}
