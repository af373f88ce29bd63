import { cast } from "../ops/cast.ts";
import type { Device } from "../runtime/device.ts";
import { OptionError } from "../runtime/errors.ts";
import type { FloatDType, Tensor } from "../tensor/tensor.ts";
import type { Backbone, NetworkPadding, Stage } from "./backbone.ts";
import { loadConvolutions, tensorsOf, type Convolution, type Family, type TensorShapes } from "./parts.ts";
import type { PretrainedWeights } from "./weights.ts";

const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } as const;
const LEAST_CELLS = 4; // a side, of the coarsest map

/** A part of a network that runs as a whole, on the output of the part before. */
export interface Step {
  readonly convolutions: readonly Convolution[];
  readonly run: (input: Tensor) => Tensor;
  /** Name of the stage that ends with it. */
  readonly stage?: string | undefined;
}

/** A pretrained network for images normalised with ImageNet's mean and standard deviation, as its file describes it. */
export interface Network extends Family {
  /** All stages, finest first. */
  readonly stages: readonly Stage[];
  /** Paddings to choose from, the default first; none where the network has but one. */
  readonly paddings: readonly NetworkPadding[];
  /** Describes the network from its input on. It is asked for no more steps than the stages in use need. */
  readonly steps: (padding: NetworkPadding | null) => Iterable<Step>;
}

/** Options of a network that is loaded. */
export interface NetworkOptions {
  readonly padding?: NetworkPadding | null;
  /** Storage of weights and activations; arithmetic is f32. Default f32. */
  readonly dtype?: FloatDType;
}

/**
 * Makes a backbone of a network.
 * @param names of stages, in any order
 * @throws OptionError for an unknown stage or padding, or a size that it does not take; InputError for other weights
 */
export async function networkBackbone(
  device: Device,
  network: Network,
  inputSize: number,
  names: readonly string[],
  weights: PretrainedWeights,
  options: NetworkOptions = {},
): Promise<Backbone> {
  const known = network.stages.map(({ name }) => name);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0 || names.length === 0) {
    throw new OptionError(`${network.name} has the stages ${known.join(", ")}, got ${unknown.join(", ") || "none"}`);
  }
  const stages = network.stages.filter(({ name }) => names.includes(name));
  const { stride } = stages.at(-1)!;
  const least = LEAST_CELLS * stride;
  if (!(Number.isInteger(inputSize / stride) && inputSize >= least)) {
    const rule = `a side that is a multiple of ${stride} and at least ${least}`;
    throw new OptionError(`${network.name} takes images of ${rule}, got ${inputSize}`);
  }
  return { ...(await loadNetwork(device, network, stages, weights, options)), input: { side: inputSize, ...IMAGENET } };
}

/**
 * Loads a network up to the coarsest of some of its stages. Its `features` take images of any size, `[N, H, W, 3]`;
 * maps have ceil(H / stride) rows and ceil(W / stride) columns.
 * @param stages at least one, finest first
 * @throws OptionError for an unknown padding; InputError if the weights are of another network
 */
export async function loadNetwork(
  device: Device,
  network: Network,
  stages: readonly Stage[],
  weights: PretrainedWeights,
  { padding: chosen = null, dtype = "f32" }: NetworkOptions = {},
): Promise<Omit<Backbone, "input">> {
  const { name, paddings } = network;
  if (chosen !== null && !paddings.includes(chosen)) {
    const rule = paddings.length > 0 ? `: expected padding to be ${paddings.join(", ")}` : " has no padding to choose";
    throw new OptionError(`${name}${rule}, got ${String(chosen)}`);
  }
  const padding = chosen ?? paddings[0] ?? null;
  const steps: Step[] = [];
  for (const step of network.steps(padding)) {
    steps.push(step);
    if (step.stage === stages.at(-1)!.name) break;
  }
  const convolutions = steps.flatMap((step) => step.convolutions);
  await loadConvolutions(device, convolutions, weights, network, dtype);
  return {
    identity: { name, padding, weights: weights.sha256 },
    stages,
    standardise: false,
    features: (images) => runSteps(steps, stages, images, dtype),
    release: () => convolutions.forEach((convolution) => convolution.release()),
  };
}

function runSteps(steps: readonly Step[], stages: readonly Stage[], images: Tensor, dtype: FloatDType): Tensor[] {
  using scope = images.device.scope();
  const outputs = new Map<string, Tensor>();
  let current = cast(images, dtype);
  for (const { run, stage } of steps) {
    const output = run(current);
    scope.release(current.allocation); // unless it is the images, or an output
    current = stages.some(({ name }) => name === stage) ? scope.keep(output) : output;
    if (stage !== undefined) outputs.set(stage, current);
  }
  return stages.map(({ name }) => outputs.get(name)!);
}

/** Names and shapes of a whole network's tensors in a library's files. Default: the first library. */
export function networkTensors(network: Network, library = Object.keys(network.eps)[0]!): TensorShapes {
  const steps = [...network.steps(network.paddings[0] ?? null)];
  return tensorsOf(
    steps.flatMap(({ convolutions }) => convolutions),
    library,
  );
}
