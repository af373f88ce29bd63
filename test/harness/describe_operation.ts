import { describe, expect, test } from "vitest";
import { rng } from "./bounds.ts";
import { device } from "./device.ts";
import { boundFault, exactnessFault, valuesOf, withFoldedWorkgroups, type Operation } from "./operation.ts";

/** The tests that every differentiable operation must pass. */
export function describeOperation<P>(operation: Operation<P>): void {
  const { name, problems, forward, backward } = operation;
  const hasHalf = operation.half !== null && device.gpu.features.has("shader-f16");

  describe.each(problems.map(([why, problem]) => [why, problem] as const))(`${name}, %s`, (_why, p) => {
    if (operation.exact !== null) {
      test("is exact where f32 arithmetic is exact", async () =>
        expect(await exactnessFault(operation, p, 1)).toBeNull());
    }
    test("is as close to float64 as f32 allows, and the same bits every time", async () =>
      expect(await boundFault(operation, p, 2, "f32")).toBeNull());
    if (hasHalf)
      test("is as close to float64 as f16 storage allows", async () =>
        expect(await boundFault(operation, p, 5, "f16")).toBeNull());

    if (backward && (operation.smooth ?? true)) {
      // The reference's own gradients, checked where finite differences are trustworthy: in float64.
      test("has float64 reference gradients that agree with central differences", () => {
        const { inputs, gradOutput } = valuesOf(operation, p, 3, false, "f32");
        const random = rng(4);
        const step = 2 ** -20;
        backward(p, inputs, gradOutput).forEach((grad, i) => {
          const direction = inputs[i]!.map(() => 2 * random() - 1);
          const at = (t: number) =>
            dot(
              forward(
                p,
                inputs.map((x, j) => (j === i ? Float64Array.from(x, (v, n) => v + t * direction[n]!) : x)),
              ),
              gradOutput,
            );
          const slope = (at(step) - at(-step)) / (2 * step);
          const along = dot(grad, direction);
          expect(
            Math.abs(along - slope) <= 1e-6 * (1 + Math.abs(slope)),
            `input ${i}: ${along} along the gradient, ${slope} by differences`,
          ).toBe(true);
        });
      });
    }
  });

  test(`${name} folds its workgroups where a dispatch dimension holds only three`, async () => {
    for (const [why, p] of problems)
      expect(await withFoldedWorkgroups(() => boundFault(operation, p, 6, "f32")), why).toBeNull();
  });
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((sum, x, i) => sum + x * b[i]!, 0);
