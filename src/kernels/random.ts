import module from "../../shaders/random.wgsl";
import type { Device } from "../runtime/device.ts";
import { OptionError } from "../runtime/errors.ts";
import { countOf, empty, fromArray, release, type Shape, type Tensor } from "../tensor/tensor.ts";
import { launch, requireDType, requireShape, type Launch } from "./launch.ts";

/** Identifies random numbers: equal draws give equal numbers on every device. All members are u32. */
export interface Draw {
  readonly seed: number;
  /** Purpose of the numbers: independent streams of one seed. */
  readonly stream: number;
  /**
   * Training step. In a captured program it is a tensor, `[1]` u32: written before each run, it makes each run draw new
   * numbers.
   */
  readonly step: number | Tensor;
}

/**
 * Checks a draw.
 * @throws OptionError unless its numbers are u32, and for a step that is a number while capturing; ShapeError for a
 *   step tensor that is not u32 `[1]`
 */
export function requireDraw(op: string, device: Device, { seed, stream, step }: Draw): void {
  const inTensor = typeof step !== "number";
  if (![seed, stream, inTensor ? 0 : step].every((word) => word === word >>> 0)) {
    const got = `${seed}, ${stream} and ${inTensor ? "a tensor" : step}`;
    throw new OptionError(`${op}: expected seed, stream and step to be whole numbers below 2^32, got ${got}`);
  }
  if (inTensor) {
    requireDType(op, "u32", { step });
    requireShape(op, "step", [1], { step });
  } else if (device.isCapturing) {
    throw new OptionError(
      `${op}: expected the draw's step in a tensor while capturing, got ${step}, ` +
        `for which every run would draw the same numbers`,
    );
  }
}

/** Launches a kernel that draws random numbers. `requireDraw` has checked the draw. */
export function launchDraw({ seed, stream, step }: Draw, { tensors, params, ...rest }: Launch): void {
  const [{ device }] = Object.values(tensors) as [Tensor];
  const held = typeof step === "number" ? fromArray(device, [1], Uint32Array.of(step)) : step;
  launch({ ...rest, tensors: { ...tensors, training_step: held }, params: { ...params, seed, stream } });
  if (held !== step) release(held);
}

/** Philox4x32-10 words, u32. */
export function randomWords(device: Device, shape: Shape, draw: Draw): Tensor {
  requireDraw("randomWords", device, draw);
  const words = empty(device, shape, "u32");
  run("raw", { words }, shape, draw, 0, 0);
  return words;
}

/** Uniform numbers between low and high, f32. */
export function uniform(device: Device, shape: Shape, draw: Draw, low = 0, high = 1): Tensor {
  if (!Number.isFinite(high - low)) throw new OptionError(`uniform: expected finite ends, got ${low} and ${high}`);
  requireDraw("uniform", device, draw);
  const output = empty(device, shape);
  run("uniform_numbers", { output }, shape, draw, low, high);
  return output;
}

/** Normal numbers with mean 0, f32. */
export function normal(device: Device, shape: Shape, draw: Draw, std = 1): Tensor {
  if (!(std >= 0 && std < Infinity)) throw new OptionError(`normal: expected a finite std of at least 0, got ${std}`);
  requireDraw("normal", device, draw);
  const output = empty(device, shape);
  run("normal_numbers", { output }, shape, draw, 0, std);
  return output;
}

function run(
  entryPoint: string,
  tensors: Record<string, Tensor>,
  shape: Shape,
  draw: Draw,
  low: number,
  high: number,
): void {
  const count = countOf(shape);
  launchDraw(draw, {
    module,
    entryPoint,
    element: "f32",
    tensors,
    params: { count, low, high },
    size: { invocations: Math.ceil(count / 4) },
  });
}
