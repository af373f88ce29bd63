import { describe, expect, test } from "vitest";
import { MATMUL_FORMS, type MatmulOptions } from "../../src/kernels/products/matmul.ts";
import { matmul } from "../../src/ops/matmul.ts";
import { ShapeError } from "../../src/runtime/errors.ts";
import { empty, fromArray, toArray } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";
import { describeOperation } from "../harness/describe_operation.ts";
import { boundFault, exactnessFault, withFoldedWorkgroups, withForm } from "../harness/operation.ts";
import { matmulOperation, pointwiseConv2dOperation } from "../operations/matmul.ts";

describeOperation(matmulOperation);
describeOperation(pointwiseConv2dOperation);

/**
 * Larger tiles use the smallest one's code with other constants and are slow to compile. Each operand is loaded
 * independently of the other, and gradients of untransposed ones load both in both ways, so only the smallest tile is
 * tested with every pair of transpositions.
 */
const LARGER_TILES = MATMUL_FORMS.filter((form) => form.startsWith("tiled")).slice(1);
const problemsOf = (form: string) =>
  matmulOperation.problems.filter(
    ([, { transposeA, transposeB }]) => !LARGER_TILES.includes(form) || !(transposeA || transposeB),
  );

describe.each(MATMUL_FORMS)("the form %s computes the same product,", (form) => {
  test.each(problemsOf(form))("%s", async (_why, problem) => {
    expect(await withForm(form, () => exactnessFault(matmulOperation, problem, 1))).toBeNull();
    expect(await withForm(form, () => boundFault(matmulOperation, problem, 2, "f32"))).toBeNull();
  });
});

describe.each(MATMUL_FORMS)("what is no number, or infinite, stays in its row or column in the form %s", (form) => {
  test.each([
    ["ragged", 5, 7, 3],
    ["packed, summed axis ragged", 8, 4, 10],
  ])("%s", async (_why, m, n, k) => {
    using _scope = device.scope({ awaits: true });
    const [a, b] = [new Float32Array(m * k).fill(1), new Float32Array(k * n).fill(1)];
    a[1 * k] = NaN;
    b[(k - 1) * n + 2] = Infinity; // the last of the sum
    const bias = fromArray(device, [n], new Float32Array(n));
    const output = await withForm(form, () =>
      toArray(matmul(fromArray(device, [1, m, k], a), fromArray(device, [1, k, n], b), { bias })),
    );
    expect([...output]).toEqual(
      Array.from({ length: m * n }, (_, i) => (Math.floor(i / n) === 1 ? NaN : i % n === 2 ? Infinity : k)),
    );
  });
});

describe("a form with tiles computes the same", () => {
  const FORM = "tiled 64x64x16 of 8x4";
  // scalars and packs: each compiles two more kernels
  const IN_HALF = ["nothing a multiple of anything", "packed operands and a ragged number of rows"];

  test("folded where a dispatch dimension holds only three workgroups", async () => {
    for (const [why, problem] of matmulOperation.problems) {
      expect(
        await withForm(FORM, () => withFoldedWorkgroups(() => boundFault(matmulOperation, problem, 6, "f32"))),
        why,
      ).toBeNull();
    }
  });

  test.skipIf(!device.gpu.features.has("shader-f16"))("stored in half precision", async () => {
    const problems = matmulOperation.problems.filter(([why]) => IN_HALF.includes(why));
    expect(problems).toHaveLength(IN_HALF.length);
    for (const [why, problem] of problems)
      expect(await withForm(FORM, () => boundFault(matmulOperation, problem, 5, "f16")), why).toBeNull();
  });
});

describe("matmul rejects, before any GPU work,", () => {
  test.each([
    ["another batch", [2, 3, 4], [1, 4, 5], "matmul: expected b [2,4,N], got a [2,3,4] and b [1,4,5]"],
    ["another inner extent", [1, 3, 4], [1, 5, 6], "matmul: expected b [1,4,N], got a [1,3,4] and b [1,5,6]"],
    [
      "another batch, transposed",
      [2, 3, 4],
      [1, 5, 4],
      "matmul: expected b [2,N,4], got a [2,3,4] and b [1,5,4]",
      { transposeB: true },
    ],
    [
      "another inner extent of a transposed a",
      [1, 4, 3],
      [1, 5, 6],
      "matmul: expected b [1,4,N], got a [1,4,3] and b [1,5,6]",
      { transposeA: true },
    ],
    ["a vector", [4], [4, 5], "matmul: expected a [...,M,K] and b [...,K,N], got a [4] and b [4,5]"],
    ["fewer leading axes", [2, 3, 4], [4, 5], "matmul: expected b [2,4,N], got a [2,3,4] and b [4,5]"],
    ["other leading axes", [2, 3, 4, 5], [3, 2, 5, 6], "matmul: expected b [2,3,5,N], got a [2,3,4,5] and b [3,2,5,6]"],
  ])("%s", (_what, a, b, message, options: MatmulOptions = {}) => {
    const attempt = () => matmul(empty(device, a), empty(device, b), options);
    expect(attempt).toThrow(ShapeError);
    expect(attempt).toThrow(message);
  });
});
