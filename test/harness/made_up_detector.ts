import type { DecodedImage } from "../../src/io/image.ts";
import type { NetworkPadding } from "../../src/backbones/backbone.ts";
import { createBackbone, type PretrainedName } from "../../src/backbones/registry.ts";
import { Detector, type DetectorOptions } from "../../src/detection/detector.ts";
import { FeatureMaker } from "../../src/detection/features.ts";
import type { Json } from "../../src/methods/method.ts";
import { gradConfig } from "../../src/methods/grad/config.ts";
import { grad as method } from "../../src/methods/grad/method.ts";
import type { GradOptions } from "../../src/methods/grad/options.ts";
import { Grad } from "../../src/methods/grad/model.ts";
import { Weights, type StoredTensors } from "../../src/nn/weights.ts";
import type { Device } from "../../src/runtime/device.ts";
import { RandomStream } from "../../src/tensor/random.ts";
import type { Resize } from "../../src/io/placement.ts";
import type { Shape } from "../../src/tensor/tensor.ts";
import { madeUp, uniform } from "./made_up_network.ts";

const MOST_ROWS = 32; // of a model with a bank

const CALIBRATION = {
  falseReject: 0.01,
  threshold: 2,
  typical: 1,
  pixelThreshold: 3,
  classes: {
    bolt: { threshold: 1.5, typical: 1, pixelThreshold: 3 },
    nut: { threshold: 2, typical: 1.2, pixelThreshold: 3 },
  },
  heat: [1, 12],
} as const;

/** A stream of zeros, for where only shapes count: drawing the weights of a large decoder takes minutes. */
export class Zeros extends RandomStream {
  override normals(count: number): Float32Array {
    return new Float32Array(count);
  }
}

/** A backbone with weights. */
export interface MadeUpNetwork {
  readonly name: PretrainedName;
  readonly padding: NetworkPadding | null;
}

/**
 * An untrained detector: every weight is made up, including norm statistics, and large enough to affect the result.
 * @param network backbone with made-up weights; null for the embedded backbone
 */
export async function madeUpDetector(
  device: Device,
  inputSize: number,
  options: GradOptions,
  network: MadeUpNetwork | null = null,
  resize: Resize = "stretch",
  precision: DetectorOptions = {},
): Promise<Detector> {
  const { name, padding, weights } = network
    ? { ...network, weights: madeUp(network.name) }
    : ({ name: "embedded", padding: null, weights: null } as const);
  const backbone = await createBackbone(device, name, { inputSize, weights, padding });
  const assembly = method.assembly({}, backbone);
  const { extents } = new FeatureMaker(device, backbone, assembly, resize);
  const { identity } = backbone;
  backbone.release();
  const all = gradConfig({ ...extents, variance: 24 }, options);
  const grad = { ...all, rows: Math.min(all.rows, MOST_ROWS) };
  const drawn = Weights.drawn(device);
  new Grad(drawn, grad, new Zeros(0, 0));
  const shapes = new Map<string, Shape>([...drawn.all()].map(([name, { shape }]) => [name, shape]));
  for (const name of ["features.offset", "features.scale"]) shapes.set(name, [extents.channels]);
  if (grad.rows > 0) shapes.set("rows", [grad.rows, extents.channels]);
  drawn.release();
  const tensors: StoredTensors = new Map(
    [...shapes].map(([name, shape], i) => [name, { shape, data: valuesOf(name, shape, i + 1) }]),
  );
  const joins = {
    ...(grad.hingeWeight > 0 && { abnormal: { floor: 0.2, weight: grad.hingeWeight } }),
    ...(grad.residualWeight > 0 && { residual: { floor: 0.1, weight: grad.residualWeight } }),
  };
  const config = {
    method: { name: "grad", config: { ...grad, joins } as unknown as Json },
    backbone: identity,
    input: { size: inputSize, resize },
    regions: false,
    assembly,
    scoring: method.scoring(grad),
    calibration: CALIBRATION,
  };
  return Detector.restore(device, config, tensors, "made-up detector", weights, precision);
}

function valuesOf(name: string, shape: Shape, key: number): Float32Array {
  const values = uniform(
    shape.reduce((n, extent) => n * extent, 1),
    key,
  );
  if (name === "features.scale" || name.startsWith("fusion.")) return values.map((u) => 1 + 0.5 * u);
  // Norms' [weight, bias] and [mean, variance]: scales and variances are about 1.
  if (name.endsWith(".affine")) return values.map((u, i) => (i < values.length / 2 ? 1 + 0.5 * u : 0.3 * u));
  if (name.endsWith(".running")) return values.map((u, i) => (i < values.length / 2 ? 0.3 * u : 1 + 0.5 * u));
  const inputs =
    shape.length > 1 && name.endsWith(".weight") ? shape.slice(0, -1).reduce((n, extent) => n * extent, 1) : 1;
  return values.map((u) => (2 * u) / Math.sqrt(inputs));
}

/** A picture of stripes and noise. */
export function madeUpPicture(size: number, key: number): DecodedImage {
  const noise = uniform(3 * size * size, key);
  const data = new Uint8Array(4 * size * size).fill(255);
  for (let i = 0; i < size * size; i++) {
    const stripe = 60 * Math.sin((i % size) / (2 + key)) + 40 * Math.cos(Math.floor(i / size) / (3 + key));
    for (let c = 0; c < 3; c++) data[4 * i + c] = Math.round(128 + stripe + 25 * noise[3 * i + c]!);
  }
  return { width: size, height: size, data };
}
