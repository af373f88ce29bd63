import { expect, test } from "vitest";
import {
  activate,
  block,
  norm,
  pointwise,
  residual,
  sequence,
  within,
  type LayerContext,
} from "../../src/nn/layers.ts";
import { Weights } from "../../src/nn/weights.ts";
import { multiply } from "../../src/ops/elementwise.ts";
import { valueAndGradients } from "../../src/ops/gradients.ts";
import { recompute } from "../../src/ops/recompute.ts";
import { RandomStream } from "../../src/tensor/random.ts";
import { fromArray, release, requireGrad, toArray, type Tensor } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";
import { poison } from "../harness/operation.ts";

const CHANNELS = 16;
const input = requireGrad(fromArray(device, [2, 16, 16, CHANNELS], new RandomStream(1, 1).normals(512 * CHANNELS, 1)));
const target = fromArray(device, input.shape, new RandomStream(3, 3).normals(512 * CHANNELS, 1));

/** Loss, gradients and running statistics of four blocks, as bits; and the peak memory in bytes, less the results. */
async function bitsOf(recomputes: boolean): Promise<{ readonly bits: Uint32Array[]; readonly bytes: number }> {
  const weights = Weights.drawn(device);
  const context: LayerContext = { weights, prefix: "net", random: new RandomStream(2, 2), recompute: recomputes };
  const make = (at: LayerContext) =>
    residual(
      sequence(
        pointwise(within(at, "wide"), CHANNELS, 4 * CHANNELS, false),
        norm(within(at, "norm"), 4 * CHANNELS),
        activate("hswish"),
        pointwise(within(at, "narrow"), 4 * CHANNELS, CHANNELS, true),
      ),
    );
  const network = sequence(...Array.from({ length: 4 }, (_, i) => block(within(context, `block${i}`), make)));
  poison();
  const {
    program,
    result: { results, grads },
  } = device.capture(
    () => {
      using scope = device.scope();
      const made = valueAndGradients(
        () => [multiply(network(input, "training"), target)],
        [input, ...weights.parameters.values()],
      );
      for (const tensor of [...made.results, ...made.grads]) scope.keep(tensor!);
      return made;
    },
    { lean: true },
  );
  const tensors = [
    ...results,
    ...(grads as readonly (Tensor | null)[] as readonly Tensor[]),
    ...weights.states.values(),
  ];
  const bits = await Promise.all(tensors.map(async (tensor) => new Uint32Array((await toArray(tensor)).buffer)));
  const bytes = program.memory.shared.reduce((sum, shared) => sum + shared.bytes, 0);
  program.release();
  weights.release();
  return { bits, bytes };
}

test("what is computed again gives the bits of what is kept, moves running statistics once, and takes less memory", async () => {
  const [kept, again] = [await bitsOf(false), await bitsOf(true)];
  expect(again.bits).toEqual(kept.bits);
  expect(again.bytes).toBeLessThan(0.6 * kept.bytes);
});

test("without a gradient it runs once, and an input that it does not depend on is refused", () => {
  let runs = 0;
  const square = (): Tensor => {
    runs++;
    return multiply(input, input);
  };
  release(recompute(square, [input]));
  expect(runs).toBe(1);
  const other = requireGrad(fromArray(device, [1], Float32Array.of(1)));
  expect(() => valueAndGradients(() => [recompute(square, [input, other])], [input, other])).toThrow(
    "expected the output to depend on every input",
  );
});
