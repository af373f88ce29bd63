// The explorer's experiments with kernels, in Node: what the page shows of them is tested in playground.test.ts.
import { readdir, readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { DEFINITIONS } from "../../examples/playground/definitions.ts";
import {
  checksOf,
  gradientCheck,
  operationsOf,
  ownOperation,
  useCode,
  withFormOf,
} from "../../examples/playground/kernel_trial.ts";
import { exampleOf, guarded, ownershipOf } from "../../examples/playground/ownership.ts";
import { shadersOf } from "../harness/changed_shaders.ts";
import { device } from "../harness/device.ts";
import { compareResults, type AnyOperation } from "../harness/operation.ts";

const sourceOf = (shader: string): Promise<string> => readFile(`shaders/${shader}.wgsl`, "utf8");

/** True if one of an operation's first problems runs the shader. */
async function runs(operation: AnyOperation, shader: string): Promise<boolean> {
  for (const [, problem] of operation.problems.slice(0, 4) as readonly (readonly [string, unknown])[]) {
    const work = () => compareResults(operation, problem, 1, "f32");
    if ((await shadersOf(() => withFormOf(shader, work))).has(shader)) return true;
  }
  return false;
}

test("kernels with operations have definitions that the explorer finds, the others are known", async () => {
  const names = (await readdir("shaders")).filter((name) => name.endsWith(".wgsl"));
  const without = names.map((name) => name.replace(".wgsl", "")).filter((name) => !(name in DEFINITIONS));
  expect(without.sort()).toEqual(["histogram", "image", "optimizer", "pairs", "random", "subgroup_product"]);
});

test.each(Object.keys(DEFINITIONS))("an operation of the files that are named for %s runs it", async (shader) => {
  for (const operation of await operationsOf(shader)) if (await runs(operation, shader)) return;
  // casts only run where tensors are f16
  expect(["cast", "scan", "bucket"]).toContain(shader);
  expect(await operationsOf(shader)).not.toHaveLength(0);
});

describe("changed code", () => {
  test("that is wrong differs from its definition, and the library's does not", async () => {
    const code = await sourceOf("dropout");
    const wrong = code.replace(/^ +output\[i\] = ([^;]+);/m, "output[i] = $1 + $1;");
    expect(wrong).not.toBe(code);
    useCode("dropout", wrong);
    const [changed] = await checksOf("dropout");
    expect(changed!.excess).toContain("output[");
    useCode("dropout", null);
    expect(await checksOf("dropout")).toEqual([expect.objectContaining({ operation: "dropout", excess: null })]);
  });

  test("of one's own has a gradient that is compared with differences", async () => {
    const code = await readFile("examples/playground/own_kernel.wgsl", "utf8");
    expect((await gradientCheck(device, ownOperation(code))).excess).toBeNull();
    const wrong = code.replace("(denominator * denominator)", "denominator");
    expect((await gradientCheck(device, ownOperation(wrong))).excess).toContain("by differences");
  });
});

describe("an invocation", () => {
  test("owns what it writes, and reads what changes that", async () => {
    const example = (await exampleOf("mse_loss", await operationsOf("mse_loss")))!;
    const at = 7;
    const { read, written, unit } = (await ownershipOf("mse_loss", await sourceOf("mse_loss"), example, at))!;
    expect([unit, written.elements]).toEqual(["invocation", [at]]);
    expect(read.map(({ elements }) => elements)).toEqual([[at], [at]]);
  });

  test("that shares memory is shown with its workgroup", async () => {
    const example = (await exampleOf("softmax", await operationsOf("softmax")))!;
    const { written, unit, count } = (await ownershipOf("softmax", await sourceOf("softmax"), example, 1))!;
    const [rows, columns] = written.shape as [number, number];
    expect([unit, count]).toEqual(["workgroup", 2]);
    // the second workgroup has the rows that are left over by the first
    expect(written.elements.at(-1)).toBe(rows * columns - 1);
    expect(written.elements.length).toBeLessThan((rows * columns) / 2);
  });

  test("leaves alone only where it can", async () => {
    const code = await sourceOf("softmax");
    expect(guarded(code, "missing", "workgroup", 0)).toBeNull();
    expect(guarded(code, "forward", "workgroup", 1)).toContain("{ if (group.x + group.y * groups.x != 1u) { return; }");
    expect(
      guarded("fn f(@builtin(global_invocation_id) id: vec3u) {\n  workgroupBarrier();\n}", "f", "invocation", 0),
    ).toBeNull();
    expect(guarded("fn f(@builtin(global_invocation_id) id: vec3u) {\n  x = 1;\n}", "f", "invocation", 2)).toBe(
      "fn f(@builtin(num_workgroups) guard_num_workgroups: vec3u, @builtin(global_invocation_id) id: vec3u) { if (flat_index(id, guard_num_workgroups) != 2u) { return; }\n  x = 1;\n}",
    );
  });
});
