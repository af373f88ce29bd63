import { valueAndGradients } from "../../src/ops/gradients.ts";
import { Tuner } from "../../src/runtime/tuner.ts";
import { floatToHalf, halfToFloat } from "../../src/tensor/half.ts";
import {
  countOf,
  fromArray,
  requireGrad,
  toArray,
  type FloatDType,
  type Shape,
  type Tensor,
} from "../../src/tensor/tensor.ts";
import { multiply } from "../../src/ops/elementwise.ts";
import { EPS_F16, EPS_F32, LARGEST_F16, excessOf, rng } from "./bounds.ts";
import { device } from "./device.ts";
import type { Draws } from "./draws.ts";

type Numbers = ArrayLike<number>;

/**
 * One differentiable operation, with everything that its tests and the fuzzer need. `P` describes a problem; arrays
 * come in the order of `shapes`.
 */
export interface Operation<P> {
  readonly name: string;
  /** Each row has a reason, which is the test's name. */
  readonly problems: readonly (readonly [why: string, problem: P])[];
  /** A random valid problem, small: for the fuzzer. JSON, so that it can be printed and shrunk. */
  readonly draw: (draws: Draws) => P;
  /** Shapes of the differentiable inputs. */
  readonly shapes: (p: P) => readonly Shape[];
  readonly run: (p: P, inputs: readonly Tensor[]) => Tensor;
  /** Float64 definition. Shares no code with the kernel. */
  readonly forward: (p: P, inputs: readonly Numbers[]) => Numbers;
  /** Float64 gradients of gradOutput . output, one per input. `null`: the operation runs without a tape. */
  readonly backward: ((p: P, inputs: readonly Numbers[], gradOutput: Numbers) => readonly Numbers[]) | null;
  /** Rounding errors allowed, in units of eps times `magnitudes`: a count of roundings on the longest path. */
  readonly slack: (p: P) => number;
  /**
   * The scale at which rounding errors arise. Default: the definitions on absolute values, right for sums of products.
   */
  readonly magnitudes?: (
    p: P,
    inputs: readonly Numbers[],
    gradOutput: Numbers,
  ) => { readonly output: Numbers; readonly grads: readonly Numbers[] };
  /** Random values of an input. Default: uniform in [-1, 1]. */
  readonly value?: (random: () => number, input: number) => number;
  /** Values on which f32 is exact. Default: integers from -4 to 4. `null` if the operation has no exact case. */
  readonly exact?: ((random: () => number, input: number) => number) | null;
  /** True if random points lie away from kinks, so that central differences hold. Default true. */
  readonly smooth?: boolean;
  /**
   * Roundings to f16 on the longest path with f16 storage. Default 1, of the result itself; `null` if f16 is not
   * supported.
   */
  readonly half?: number | null;
  /** Indices of inputs that are always f32: coordinates, parameters of norms. Default: none. */
  readonly wide?: readonly number[];
}

/** An operation with problems of any type. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- each operation pairs with problems of its own
export type AnyOperation = Operation<any>;

const POISONED_BYTES = [
  256, 512, 768, 1024, 1280, 1536, 1792, 2048, 2560, 3072, 4096, 5120, 6144, 8192, 10240, 12288, 16384, 32768, 65536,
];

/** Fills pooled memory with NaN, so that an element that a kernel forgets to write cannot pass as zero. */
export function poison(): void {
  const lent = POISONED_BYTES.flatMap((bytes) => [bytes, bytes, bytes, bytes]).map((bytes) => device.allocate(bytes));
  for (const allocation of lent)
    device.write(allocation.buffer, new Uint32Array(allocation.bytes / 4).fill(0x7fffffff)); // NaN in f32 and in f16
  for (const allocation of lent) device.release(allocation);
}

/** Results computed by a device. */
export interface Results {
  readonly output: Float32Array;
  readonly grads: readonly Float32Array[];
}

const uniform = (random: () => number): number => 2 * random() - 1;
const wholeNumber = (random: () => number): number => Math.floor(9 * random()) - 4;
const roundedTo = (dtype: FloatDType) => (x: number) =>
  dtype === "f16" ? halfToFloat(floatToHalf(x)) : Math.fround(x);

/** Inputs and an upstream gradient; `exact` ones cause no rounding error in f32. */
export function valuesOf<P>(operation: Operation<P>, p: P, seed: number, exact: boolean, dtype: FloatDType) {
  const random = rng(seed);
  const draw = exact ? (operation.exact ?? wholeNumber) : (operation.value ?? uniform);
  const isWide = (i: number) => operation.wide?.includes(i) ?? false;
  const inputs = operation
    .shapes(p)
    .map((shape, i) =>
      Float32Array.from({ length: countOf(shape) }, () => draw(random, i)).map(roundedTo(isWide(i) ? "f32" : dtype)),
    );
  const upstream = exact ? wholeNumber : uniform;
  const gradOutput = Float32Array.from({ length: operation.forward(p, inputs).length }, () => upstream(random)).map(
    roundedTo(dtype),
  );
  return { inputs, gradOutput };
}

/** Output and gradients. */
export async function compute<P>(
  operation: Operation<P>,
  p: P,
  inputs: readonly Float32Array[],
  gradOutput: Float32Array,
  dtype: FloatDType,
): Promise<Results> {
  const before = device.memory().bytes;
  const scope = device.scope();
  let reads: readonly Promise<Float32Array>[];
  try {
    const tensors = operation
      .shapes(p)
      .map((shape, i) => fromArray(device, shape, inputs[i]!, operation.wide?.includes(i) ? "f32" : dtype));
    if (operation.backward === null) {
      reads = [toArray(operation.run(p, tensors))];
    } else {
      const wanted = tensors.map(requireGrad);
      let output!: Tensor;
      const { results, grads } = valueAndGradients(() => {
        output = operation.run(p, wanted);
        return [multiply(output, fromArray(device, output.shape, gradOutput, output.dtype)), output];
      }, wanted);
      reads = [toArray(results[1]), ...grads.map((grad) => toArray(grad!))];
    }
  } finally {
    scope[Symbol.dispose]();
  }
  if (device.memory().bytes !== before)
    throw new Error(`${operation.name} kept ${device.memory().bytes - before} bytes`);
  const [output, ...grads] = await Promise.all(reads);
  return { output: output!, grads };
}

/**
 * Describes the operation's fault on small integers, where every product and sum is exact in f32: any difference is a
 * bug.
 */
export async function exactnessFault<P>(operation: Operation<P>, p: P, seed: number): Promise<string | null> {
  if (operation.exact === null) return null;
  const { inputs, gradOutput } = valuesOf(operation, p, seed, true, "f32");
  poison();
  const got = await compute(operation, p, inputs, gradOutput, "f32");
  const want = { output: operation.forward(p, inputs), grads: operation.backward?.(p, inputs, gradOutput) ?? [] };
  return firstFault(got, (name, numbers, i) => {
    const wanted = i === null ? want.output : want.grads[i]!;
    if (numbers.length !== wanted.length) return `${name}: ${numbers.length} elements, expected ${wanted.length}`;
    const at = numbers.findIndex((x, n) => !(x === Math.fround(wanted[n]!)));
    return at < 0 ? null : `${name}[${at}]: got ${numbers[at]}, expected exactly ${wanted[at]}`;
  });
}

/** A result of the device beside its definition. */
export interface Comparison {
  /** "output" or "gradient of input 0" */
  readonly name: string;
  /** The largest difference; NaN if a number is NaN. */
  readonly difference: number;
  /** A violation of the bound, in words; null if there is none. */
  readonly excess: string | null;
}

/** Compares the operation's results on random numbers with their float64 definitions. */
export async function compareResults<P>(
  operation: Operation<P>,
  p: P,
  seed: number,
  dtype: FloatDType,
): Promise<readonly Comparison[]> {
  return comparisonsOf(operation, p, dtype, await drawnResults(operation, p, seed, dtype));
}

interface Drawn extends ReturnType<typeof valuesOf> {
  readonly got: Results;
}

async function drawnResults<P>(operation: Operation<P>, p: P, seed: number, dtype: FloatDType): Promise<Drawn> {
  const values = valuesOf(operation, p, seed, false, dtype);
  poison();
  return { ...values, got: await compute(operation, p, values.inputs, values.gradOutput, dtype) };
}

function comparisonsOf<P>(
  operation: Operation<P>,
  p: P,
  dtype: FloatDType,
  { inputs, gradOutput, got }: Drawn,
): readonly Comparison[] {
  const absolute = (a: Float32Array) => a.map(Math.abs);
  const magnitudes = operation.magnitudes?.(p, inputs, gradOutput) ?? {
    output: operation.forward(p, inputs.map(absolute)),
    grads: operation.backward?.(p, inputs.map(absolute), absolute(gradOutput)) ?? [],
  };
  const want = { output: operation.forward(p, inputs), grads: operation.backward?.(p, inputs, gradOutput) ?? [] };
  const eps = operation.slack(p) * EPS_F32;
  const half = operation.half ?? 1;
  // The result's own rounding is relative to its size; intermediate roundings are relative to the size of the terms.
  const allowed = (wanted: Numbers, magnitude: Numbers) =>
    Float64Array.from(
      magnitude,
      (m, n) => eps * m + (dtype === "f16" ? EPS_F16 * (Math.abs(wanted[n]!) + eps * m + (half - 1) * m) : 0),
    );
  // Values beyond the range of f16 are correctly infinite.
  const stored = (a: Numbers) =>
    dtype === "f16" ? Float64Array.from(a, (x) => Math.min(Math.max(x, -LARGEST_F16), LARGEST_F16)) : a;
  return namedResults(got).map(([name, numbers, i]) => {
    const [wanted, magnitude] = i === null ? [want.output, magnitudes.output] : [want.grads[i]!, magnitudes.grads[i]!];
    const excess = excessOf(stored(numbers), stored(wanted), allowed(wanted, magnitude), 1, dtype);
    const difference = numbers.reduce((most, x, n) => Math.max(most, Math.abs(x - wanted[n]!)), 0);
    return { name, difference, excess: excess && `${name}${excess}` };
  });
}

/**
 * Describes the operation's fault on random numbers: errors beyond the counted bound, or different bits in a second
 * run.
 */
export async function boundFault<P>(
  operation: Operation<P>,
  p: P,
  seed: number,
  dtype: FloatDType,
): Promise<string | null> {
  const drawn = await drawnResults(operation, p, seed, dtype);
  const { inputs, gradOutput, got } = drawn;
  const wrong = comparisonsOf(operation, p, dtype, drawn).find(({ excess }) => excess !== null);
  if (wrong) return wrong.excess;
  poison();
  const again = await compute(operation, p, inputs, gradOutput, dtype);
  return firstFault(again, (name, numbers, i) => {
    const first = bitsOf(i === null ? got.output : got.grads[i]!);
    const at = bitsOf(numbers).findIndex((bits, n) => bits !== first[n]);
    return at < 0 ? null : `${name}[${at}]: other bits the second time`;
  });
}

/** Runs `work` on a device that appears to allow only three workgroups along a dispatch dimension. */
export async function withFoldedWorkgroups<T>(work: () => Promise<T>): Promise<T> {
  device.workgroups = (invocations, perWorkgroup) => {
    const total = Math.ceil(invocations / perWorkgroup);
    return [Math.min(total, 3), Math.max(1, Math.ceil(total / 3))];
  };
  try {
    return await work();
  } finally {
    delete (device as { workgroups?: unknown }).workgroups; // uncovers the method of the class
  }
}

/** Runs `work` with the kernels for adapters of the other kind: those for CPUs on a GPU, those for GPUs on a CPU. */
export async function withOtherAdapter<T>(work: () => Promise<T>): Promise<T> {
  const { adapter } = device;
  const mutable: { adapter: typeof adapter } = device;
  mutable.adapter = { ...adapter, software: !adapter.software };
  try {
    return await work();
  } finally {
    mutable.adapter = adapter;
  }
}

/** Runs `work` with one form for every product, whatever its shape. */
export async function withForm<T>(form: string, work: () => Promise<T>): Promise<T> {
  const { tuner } = device;
  const mutable: { tuner: typeof tuner } = device;
  mutable.tuner = new (class extends Tuner {
    override choose(): string {
      return form;
    }
  })();
  try {
    return await work();
  } finally {
    mutable.tuner = tuner;
  }
}

/** Results with their names, and the index of a gradient's input. */
const namedResults = ({ output, grads }: Results): readonly (readonly [string, Float32Array, number | null])[] => [
  ["output", output, null],
  ...grads.map((grad, i) => [`gradient of input ${i}`, grad, i] as const),
];

const firstFault = (
  results: Results,
  faultOf: (name: string, numbers: Float32Array, grad: number | null) => string | null,
): string | null =>
  namedResults(results).reduce<string | null>((fault, [name, numbers, i]) => fault ?? faultOf(name, numbers, i), null);

const bitsOf = (a: Float32Array): Uint32Array => new Uint32Array(a.buffer, a.byteOffset, a.length);
