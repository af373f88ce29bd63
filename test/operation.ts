import { describe, expect, test } from "vitest";
import { gradients } from "../src/ops/gradients.ts";
import { countOf, fromArray, requireGrad, toArray, type Shape, type Tensor } from "../src/tensor/tensor.ts";
import { multiply } from "../src/ops/elementwise.ts";
import { expectClose, EPS_F32, rng } from "./close.ts";
import { device } from "./device.ts";

type Numbers = ArrayLike<number>;

/**
 * One differentiable operation, everything its test needs. `P` describes a problem; arrays come in the order of `shapes`.
 */
export interface Operation<P> {
  readonly name: string;
  /** Each row is there for a reason; the reason is the test's name. */
  readonly problems: readonly (readonly [why: string, problem: P])[];
  /** Shapes of the differentiable inputs. */
  readonly shapes: (p: P) => readonly Shape[];
  readonly run: (p: P, inputs: readonly Tensor[]) => Tensor;
  /** Float64 definition. Shares no code with the kernel. */
  readonly forward: (p: P, inputs: readonly Numbers[]) => Numbers;
  /** Float64 gradients of gradOutput . output, one per input. */
  readonly backward: (p: P, inputs: readonly Numbers[], gradOutput: Numbers) => readonly Numbers[];
  /**
   * Rounding errors allowed, in units of eps times `magnitudes`: a count of roundings on the longest path.
   */
  readonly slack: (p: P) => number;
  /** The scale at which rounding errors arise. Default: the definitions on absolute values, right for sums of products. */
  readonly magnitudes?: (p: P, inputs: readonly Numbers[], gradOutput: Numbers) => { readonly output: Numbers; readonly grads: readonly Numbers[] };
  /** Random values of an input. Default: uniform in [-1, 1]. */
  readonly value?: (random: () => number, input: number) => number;
  /** Values on which f32 is exact. Default: whole numbers from -4 to 4. `null` where the operation has no exact case. */
  readonly exact?: ((random: () => number, input: number) => number) | null;
  /** Whether random points lie away from kinks, so that central differences hold. Default true. */
  readonly smooth?: boolean;
}

const POISONED_BYTES = [256, 512, 768, 1024, 1280, 1536, 1792, 2048, 2560, 3072, 4096, 5120, 6144, 8192, 10240, 12288, 16384, 32768, 65536];

/** Fills pooled memory with NaN, so that an element a kernel forgets to write cannot pass as zero. */
export function poison(): void {
  const lent = POISONED_BYTES.flatMap((bytes) => [bytes, bytes, bytes, bytes]).map((bytes) => device.allocate(bytes));
  for (const allocation of lent) device.write(allocation.buffer, new Uint32Array(allocation.bytes / 4).fill(0x7fc00000));
  for (const allocation of lent) device.release(allocation);
}

/** The tests that every differentiable operation must pass. */
export function describeOperation<P>(operation: Operation<P>): void {
  const { name, problems, shapes, run, forward, backward, slack } = operation;
  const value = operation.value ?? ((random) => 2 * random() - 1);
  const exact = operation.exact === undefined ? (random: () => number) => Math.floor(9 * random()) - 4 : operation.exact;

  const fill = (p: P, seed: number, draw: (random: () => number, input: number) => number) => {
    const random = rng(seed);
    const inputs = shapes(p).map((shape, i) => Float32Array.from({ length: countOf(shape) }, () => draw(random, i)));
    const gradOutput = Float32Array.from({ length: forward(p, inputs).length }, () => (exact === draw ? Math.floor(9 * random()) - 4 : 2 * random() - 1));
    return { inputs, gradOutput };
  };

  /** Output and gradients over poisoned memory, and nothing left behind. */
  const compute = async (p: P, inputs: readonly Float32Array[], gradOutput: Float32Array) => {
    poison();
    const before = device.memory().bytes;
    const scope = device.scope();
    const tensors = shapes(p).map((shape, i) => requireGrad(fromArray(device, shape, inputs[i]!)));
    let output!: Tensor;
    const { results, grads } = gradients(() => {
      output = run(p, tensors);
      return [multiply(output, fromArray(device, output.shape, gradOutput)), output];
    }, tensors);
    const reads = [toArray(results[1]!), ...grads.map((grad) => toArray(grad!))];
    scope[Symbol.dispose]();
    expect(device.memory().bytes).toBe(before);
    const [got, ...gotGrads] = await Promise.all(reads);
    return { output: got!, grads: gotGrads };
  };

  describe.each(problems.map(([why, problem]) => [why, problem] as const))(`${name}, %s`, (_why, p) => {
    if (exact) {
      // Small dyadic numbers: every product and sum is exact in f32, so any difference at all is a bug.
      test("is exact where f32 arithmetic is exact", async () => {
        const { inputs, gradOutput } = fill(p, 1, exact);
        const got = await compute(p, inputs, gradOutput);
        expect(got.output).toEqual(Float32Array.from(forward(p, inputs)));
        const want = backward(p, inputs, gradOutput);
        got.grads.forEach((grad, i) => expect(grad.map(positiveZero), `gradient of input ${i}`).toEqual(Float32Array.from(want[i]!).map(positiveZero)));
      });
    }

    test("is as close to float64 as f32 allows, and the same bits every time", async () => {
      const { inputs, gradOutput } = fill(p, 2, value);
      const got = await compute(p, inputs, gradOutput);
      const absolute = (a: Float32Array) => a.map(Math.abs);
      const magnitudes = operation.magnitudes?.(p, inputs, gradOutput) ?? {
        output: forward(p, inputs.map(absolute)),
        grads: backward(p, inputs.map(absolute), absolute(gradOutput)),
      };
      expectClose(got.output, forward(p, inputs), magnitudes.output, slack(p), EPS_F32);
      const want = backward(p, inputs, gradOutput);
      got.grads.forEach((grad, i) => expectClose(grad, want[i]!, magnitudes.grads[i]!, slack(p), EPS_F32));
      const again = await compute(p, inputs, gradOutput);
      expect(bitsOf(again.output)).toEqual(bitsOf(got.output));
      again.grads.forEach((grad, i) => expect(bitsOf(grad)).toEqual(bitsOf(got.grads[i]!)));
    });

    if (operation.smooth ?? true) {
      // The reference's own gradients, checked where finite differences are trustworthy: in float64.
      test("has float64 reference gradients that agree with central differences", () => {
        const { inputs, gradOutput } = fill(p, 3, value);
        const random = rng(4);
        const step = 2 ** -20;
        backward(p, inputs, gradOutput).forEach((grad, i) => {
          const direction = inputs[i]!.map(() => 2 * random() - 1);
          const at = (t: number) => dot(forward(p, inputs.map((x, j) => (j === i ? Float64Array.from(x, (v, n) => v + t * direction[n]!) : x))), gradOutput);
          const slope = (at(step) - at(-step)) / (2 * step);
          const along = dot(grad, direction);
          expect(Math.abs(along - slope) <= 1e-6 * (1 + Math.abs(slope)), `input ${i}: ${along} along the gradient, ${slope} by differences`).toBe(true);
        });
      });
    }
  });
}

const positiveZero = (x: number): number => x + 0;
const bitsOf = (a: Float32Array): Uint32Array => new Uint32Array(a.buffer, a.byteOffset, a.length);
const dot = (a: Numbers, b: Numbers): number => Array.from(a).reduce((sum, x, i) => sum + x * b[i]!, 0);
