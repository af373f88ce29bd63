import module from "../../shaders/random.wgsl";
import type { Device } from "../runtime/device.ts";
import { OptionError } from "../runtime/errors.ts";
import { countOf, empty, type Shape, type Tensor } from "../tensor/tensor.ts";
import { launch } from "./launch.ts";

/** Which random numbers: equal draws are equal numbers, on whatever device. All are u32. */
export interface Draw {
  readonly seed: number;
  /** What the numbers are for. */
  readonly stream: number;
  readonly step: number;
}

/** Throws OptionError unless a draw's numbers are u32. */
export function requireDraw(op: string, { seed, stream, step }: Draw): void {
  if (![seed, stream, step].every((word) => word === word >>> 0)) {
    throw new OptionError(`${op}: expected seed, stream and step to be whole numbers below 2^32, got ${seed}, ${stream} and ${step}`);
  }
}

/** Philox4x32-10 words, u32. */
export function randomWords(device: Device, shape: Shape, draw: Draw): Tensor {
  const words = empty(device, shape, "u32");
  run("randomWords", "raw", { words }, shape, draw, 0, 0);
  return words;
}

/** Uniform numbers between low and high. */
export function uniform(device: Device, shape: Shape, draw: Draw, low = 0, high = 1): Tensor {
  if (!Number.isFinite(high - low)) throw new OptionError(`uniform: expected finite ends, got ${low} and ${high}`);
  const output = empty(device, shape);
  run("uniform", "uniform_numbers", { output }, shape, draw, low, high);
  return output;
}

/** Normal numbers with mean 0. */
export function normal(device: Device, shape: Shape, draw: Draw, deviation = 1): Tensor {
  if (!(deviation >= 0 && deviation < Infinity)) throw new OptionError(`normal: expected a finite deviation of at least 0, got ${deviation}`);
  const output = empty(device, shape);
  run("normal", "normal_numbers", { output }, shape, draw, 0, deviation);
  return output;
}

function run(op: string, entryPoint: string, tensors: Record<string, Tensor>, shape: Shape, draw: Draw, low: number, high: number): void {
  requireDraw(op, draw);
  const count = countOf(shape);
  const { seed, stream, step } = draw;
  launch({ module, entryPoint, element: "f32", tensors, params: { count, seed, stream, step, low, high }, size: { invocations: Math.ceil(count / 4) } });
}
