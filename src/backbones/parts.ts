// Convolutions as networks describe them. From one description follow the tensors that a file of weights must have,
// their loading with the norm folded in, in f32 or f16, and the kernel to run.
import { weightFromOihw } from "../io/nchw.ts";
import type { Activation } from "../ops/activation.ts";
import { foldBatchNorm } from "../ops/batch_norm.ts";
import { cast } from "../ops/cast.ts";
import { conv2d, depthwiseConv2d, type ConvolutionOptions } from "../ops/conv2d.ts";
import { pointwiseConv2d } from "../ops/matmul.ts";
import type { Device } from "../runtime/device.ts";
import { InputError } from "../runtime/errors.ts";
import { countOf, fromArray, release, sameShape, type FloatDType, type Tensor } from "../tensor/tensor.ts";
import { readValues, type PretrainedWeights } from "./weights.ts";

/**
 * Names of a convolution by library: of its weight, and of the batch norm behind it. A convolution without a norm has
 * a bias of its own.
 */
export type Names = Readonly<Record<string, readonly [convolution: string, norm?: string]>>;

/** A convolution as a network describes it. */
export interface ConvolutionPlan {
  readonly names: Names;
  /** Prefixes of the names, by library. Default: none. */
  readonly within?: Readonly<Record<string, string>>;
  /** Channels. */
  readonly inputs: number;
  readonly outputs: number;
  /** Side of the filter, pixels. Default 1. */
  readonly kernel?: number;
  /** True for one filter per channel: as many outputs as inputs. Default false. */
  readonly depthwise?: boolean;
  /** Default 1. */
  readonly stride?: number;
  /** Default 0. */
  readonly padding?: ConvolutionOptions["padding"];
  /** Default: none. */
  readonly activation?: Activation;
}

/** A network's name and its family's, for errors, and the libraries whose names for its tensors are understood. */
export interface Family {
  readonly name: string;
  readonly family: string;
  /** By library: the number that it adds to a norm's variance. */
  readonly eps: Readonly<Record<string, number>>;
}

const NORM_PARTS = ["weight", "bias", "running_mean", "running_var"] as const;
const SHOWN_PROBLEMS = 3;

/** A convolution of a network: its weight with the norm folded in, bias and activation, in one kernel. */
export class Convolution {
  readonly #plan: ConvolutionPlan;
  #loaded: { readonly weight: Tensor; readonly bias: Tensor } | null = null;

  constructor(plan: ConvolutionPlan) {
    this.#plan = plan;
  }

  /** `[R,S,I,O]`; `[I,O]` for 1x1 convolutions of stride 1; `[R,S,C]` for depthwise ones. Only once loaded, as the bias. */
  get weight(): Tensor {
    return this.#loaded!.weight;
  }

  /** `[O]`. */
  get bias(): Tensor {
    return this.#loaded!.bias;
  }

  /** `[N,H,W,I]` -> `[N,P,Q,O]`, in the dtype that it was loaded in. */
  apply(input: Tensor): Tensor {
    const { depthwise = false, stride = 1, padding = 0, activation = null } = this.#plan;
    const { weight, bias } = this;
    if (weight.shape.length === 2) return pointwiseConv2d(input, weight, { bias, activation });
    return (depthwise ? depthwiseConv2d : conv2d)(input, weight, { stride, padding, bias, activation });
  }

  /** Names and shapes of its tensors in a library's files; the weight comes first, as `[O,I,R,S]`. */
  tensors(library: string): (readonly [name: string, shape: readonly number[]])[] {
    const { names, within = {}, outputs } = this.#plan;
    const prefix = within[library] ?? "";
    const [convolution, norm] = names[library]!;
    const vectors = norm ? NORM_PARTS.map((part) => `${norm}.${part}`) : [`${convolution}.bias`];
    return [
      [`${prefix}${convolution}.weight`, this.#oihw()],
      ...vectors.map((name) => [prefix + name, [outputs]] as const),
    ];
  }

  /** Loads it from weights that were found to have its tensors. */
  async load(
    device: Device,
    weights: PretrainedWeights,
    library: string,
    eps: number,
    dtype: FloatDType,
  ): Promise<void> {
    const { inputs, outputs, kernel = 1, depthwise = false, stride = 1 } = this.#plan;
    const names = this.tensors(library).map(([name]) => name);
    const [stored, weight, bias, mean, variance] = await Promise.all(names.map((name) => readValues(weights, name)));
    const values = weightFromOihw(stored!, this.#oihw());
    const whole = depthwise ? [kernel, kernel, outputs] : [kernel, kernel, inputs, outputs];
    const shape = !depthwise && kernel === 1 && stride === 1 ? [inputs, outputs] : whole;
    if (!bias || !mean || !variance) {
      const own = fromArray(device, [outputs], weight!, dtype); // the only vector there is
      this.#loaded = { weight: fromArray(device, shape, values, dtype), bias: own };
      return;
    }
    const at = variance.findIndex((value) => value < 0);
    if (at >= 0) {
      const which = `${names.at(-1)!} of ${weights.source}`;
      throw new InputError(`${which} holds ${variance[at]} at element ${at}: no variance is below 0`);
    }
    using scope = device.scope();
    const rows = (a: Float32Array, b: Float32Array) => fromArray(device, [2, outputs], Float32Array.of(...a, ...b));
    const raw = fromArray(device, shape, values);
    const folded = foldBatchNorm(raw, null, rows(weight!, bias), rows(mean, variance), { eps });
    this.#loaded = { weight: scope.keep(cast(folded.weight, dtype)), bias: scope.keep(cast(folded.bias, dtype)) };
  }

  /** Gives the storage back, if it was loaded. */
  release(): void {
    if (this.#loaded) [this.#loaded.weight, this.#loaded.bias].forEach(release);
    this.#loaded = null;
  }

  #oihw(): readonly [number, number, number, number] {
    const { inputs, outputs, kernel = 1, depthwise = false } = this.#plan;
    return [outputs, depthwise ? 1 : inputs, kernel, kernel];
  }
}

export type TensorShapes = PretrainedWeights["shapes"];

/** Names and shapes of all tensors of some convolutions in a library's files. */
export const tensorsOf = (convolutions: readonly Convolution[], library: string): TensorShapes =>
  new Map(convolutions.flatMap((convolution) => convolution.tensors(library)));

/** Weights that are all 0, for dry runs. */
export const blankWeights = (shapes: TensorShapes): PretrainedWeights => ({
  source: "blank weights",
  sha256: "0".repeat(64),
  shapes,
  read: (name) => {
    const shape = shapes.get(name)!;
    return Promise.resolve({ dtype: "F32", shape, bytes: new Uint8Array(4 * countOf(shape)) });
  },
});

/**
 * Finds the library whose names the weights have, by the first convolution, and checks that all convolutions are there.
 * @throws InputError if it is none of the known ones, or for tensors missing or of another shape: names the first few
 */
export function recogniseLibrary(
  convolutions: readonly Convolution[],
  { source, shapes }: PretrainedWeights,
  { name, family, eps }: Family,
): string {
  const firstOf = (library: string): string => convolutions[0]!.tensors(library)[0]![0];
  const library = Object.keys(eps).find((library) => shapes.has(firstOf(library)));
  if (library === undefined) {
    const wanted = Object.keys(eps)
      .map((library) => `${firstOf(library)} (${library})`)
      .join(", ");
    throw new InputError(`${source} holds no ${family}: none of its ${shapes.size} tensors is ${wanted}`);
  }
  const problems: string[] = [];
  for (const [tensor, shape] of tensorsOf(convolutions, library)) {
    const got = shapes.get(tensor);
    if (!got) problems.push(`${tensor} [${shape.join(",")}] is missing`);
    else if (!sameShape(got, shape)) problems.push(`${tensor} is [${got.join(",")}], not [${shape.join(",")}]`);
  }
  if (problems.length > 0) {
    const shown = problems.slice(0, SHOWN_PROBLEMS).join("; ");
    const more = problems.length > SHOWN_PROBLEMS ? `, and ${problems.length - SHOWN_PROBLEMS} more` : "";
    throw new InputError(`${source} does not fit ${name} (names of ${library}): ${shown}${more}`);
  }
  return library;
}

/**
 * Loads convolutions one after another, all of them or none.
 * @throws InputError if the weights do not have them, or hold values that are not finite
 */
export async function loadConvolutions(
  device: Device,
  convolutions: readonly Convolution[],
  weights: PretrainedWeights,
  family: Family,
  dtype: FloatDType,
): Promise<void> {
  const library = recogniseLibrary(convolutions, weights, family);
  const eps = family.eps[library]!;
  try {
    for (const convolution of convolutions) await convolution.load(device, weights, library, eps, dtype);
  } catch (error) {
    for (const convolution of convolutions) convolution.release();
    throw error;
  }
}
