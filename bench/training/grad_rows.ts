// Training steps of GRAD and inferences, as both `bench grad` and the compiler's listings take them.
import { gradConfig } from "../../src/methods/grad/config.ts";
import { Grad } from "../../src/methods/grad/model.ts";
import type { DecoderName } from "../../src/methods/parts/decoders.ts";
import type { Stage } from "../../src/methods/grad/stages.ts";
import { GradTraining, lossScaleOf } from "../../src/methods/grad/training.ts";
import type { FitStep } from "../../src/methods/method.ts";
import type { PretrainedName } from "../../src/backbones/registry.ts";
import { Weights } from "../../src/nn/weights.ts";
import type { Device } from "../../src/runtime/device.ts";
import { RandomStream } from "../../src/tensor/random.ts";
import { fromArray } from "../../src/tensor/tensor.ts";
import { madeUpDetector, madeUpPicture } from "../../test/harness/made_up_detector.ts";
import { uniform } from "../../test/harness/made_up_network.ts";

export const CELLS = 28;
const VARIANCE = 24;
const [SIDE, INPUT_SIZE] = [256, 224]; // side of photographs, and of the resized images

/** A kind of training step. */
export interface StepRow {
  readonly decoder: DecoderName;
  /** Channels of the embedded backbone at 224 pixels, of EfficientNet-B4 and of B6. */
  readonly channels: 40 | 216 | 272;
  readonly stage: Stage;
  readonly batch: number;
  readonly recompute: boolean;
  /** True if activations and gradients are stored in f16. */
  readonly half?: boolean;
  readonly warmUps: number;
}

/** An inference, from decoded photographs to scores and maps on the host. */
export interface InferenceRow {
  readonly backbone: "embedded" | PretrainedName;
  readonly decoder: "tiny" | "mobile";
  readonly half: boolean;
  readonly batch: number;
}

/** Work that can be repeated. */
export interface Prepared<T = unknown> {
  readonly run: () => Promise<T>;
  readonly release: () => void;
}

const STAGES = ["abnormal", "normal"] as const;
// after six steps, both kinds of a stage's steps are captured
const TINY = { decoder: "tiny", batch: 8, recompute: false, warmUps: 6 } as const;
const MOBILE = { decoder: "mobile", channels: 272, stage: "normal", warmUps: 2 } as const;
const LARGEST = { backbone: "efficientnet-b6", decoder: "mobile" } as const;
const RESNETS = ["resnet18", "resnet50", "wide-resnet50-2"] as const;

const IN_HALF = ", in half precision";

/** Steps to take on a device: smaller ones on a software adapter. */
export const stepRows = ({ adapter }: Device): readonly StepRow[] => [
  ...([40, 216] as const).flatMap((channels) => STAGES.map((stage) => ({ ...TINY, channels, stage }))),
  ...[true, false].map((recompute) => ({ ...MOBILE, batch: adapter.software ? 1 : 16, recompute })),
];

/** Inferences that a device can run. */
export function inferenceRows({ gpu }: Device): readonly InferenceRow[] {
  const detectors = [
    { backbone: "embedded", decoder: "tiny", half: false } as const,
    { ...LARGEST, half: false },
    ...(gpu.features.has("shader-f16") ? [{ ...LARGEST, half: true }] : []),
  ];
  return [
    ...detectors.flatMap((detector) => [1, 16].map((batch) => ({ ...detector, batch }))),
    ...RESNETS.map((backbone) => ({ backbone, decoder: "tiny", half: false, batch: 1 }) as const),
  ];
}

export const nameOfStep = ({ decoder, channels, stage, batch, recompute, half = false }: StepRow): string =>
  `${decoder}, ${channels} channels, ${stage}, batch ${batch}${recompute ? ", blocks twice" : ""}${half ? IN_HALF : ""}`;
export const nameOfInference = ({ backbone, decoder, batch, half }: InferenceRow): string =>
  `inference, ${backbone}, ${decoder}, batch ${batch}${half ? IN_HALF : ""}`;

/** Numbers by a hash, of the wanted deviation: drawing normal ones for a large decoder takes a minute. */
class HashedNumbers extends RandomStream {
  #key = 0;
  override normals(count: number, std: number): Float32Array {
    return uniform(count, ++this.#key).map((x) => std * Math.sqrt(3) * x);
  }
}

/**
 * A training at the row's stage; each run takes one step.
 * @param random makes the stream of a number, for features and weights
 */
export function prepareStep(
  device: Device,
  { decoder, channels, stage, batch, recompute, half = false }: StepRow,
  random: (stream: number) => RandomStream = (stream) => new HashedNumbers(1, stream),
): Prepared<IteratorResult<FitStep, void>> {
  const values = random(1).normals(batch * CELLS * CELLS * channels, Math.sqrt(VARIANCE));
  /** The same images in every batch: their order does not affect the time. */
  const features = {
    count: batch,
    batch: () => Promise.resolve(fromArray(device, [batch, CELLS, CELLS, channels], values)),
  };
  const config = gradConfig(
    { height: CELLS, width: CELLS, channels, variance: VARIANCE },
    { form: "published", decoder },
  );
  const model = new Grad(Weights.drawn(device), config, random(0), { recompute, storage: half ? "f16" : "f32" });
  const std = fromArray(device, [channels], new Float32Array(channels).fill(Math.sqrt(VARIANCE)));
  const epochs = {
    epochsAbnormal: 200,
    epochsNormal: 200,
    epochsResidual: 1,
    leastAbnormal: 50,
    leastNormal: 2000, // more than anybody takes
    leastResidual: 30,
    enoughHits: 1,
    anomalyShare: 0.5,
    lossScale: half ? lossScaleOf(config, batch) : 1,
  };
  const training = new GradTraining(model, features, { ...epochs, batch, seed: 1, std });
  training.restore({ json: { position: { stage, step: 0 }, optimizerSteps: null }, tensors: new Map() });
  const steps = training.steps();
  return {
    run: () => steps.next(),
    release: () => {
      training.release();
      model.weights.release();
      device.trim();
    },
  };
}

/** A made-up detector; each run inspects one batch. */
export async function prepareInference(
  device: Device,
  { backbone, decoder, batch, half }: InferenceRow,
): Promise<Prepared> {
  const network = backbone === "embedded" ? null : { name: backbone, padding: null };
  const detector = await madeUpDetector(device, INPUT_SIZE, { decoder }, network, "stretch", { half });
  const pictures = Array.from({ length: batch }, (_, i) => ({ image: madeUpPicture(SIDE, i) }));
  return {
    run: () => detector.inspect(pictures),
    release: () => {
      detector.release();
      device.trim();
    },
  };
}
