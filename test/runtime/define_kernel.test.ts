import { describe, expect, test } from "vitest";
import { record } from "../../src/autograd/tape.ts";
import { launch } from "../../src/kernels/launch.ts";
import { valueAndGradients } from "../../src/ops/gradients.ts";
import { defineKernel } from "../../src/runtime/define_kernel.ts";
import { GpuError, UsageError } from "../../src/runtime/errors.ts";
import { countOf, empty, fromArray, requireGrad, toArray, type Tensor } from "../../src/tensor/tensor.ts";
import { openDevice } from "../../src/node/device.ts";
import { device } from "../harness/device.ts";

const INPUTS =
  "@group(0) @binding(0) var<storage> input: array<elem>;\n@group(0) @binding(1) var<storage, read_write> output: array<elem>;";
const PARAMS = "struct Params { count: u32, factor: f32, }\n@group(1) @binding(0) var<uniform> params: Params;";
const SIGNATURE = "(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u)";
const scaling = (factor: string) => `${INPUTS}\n${PARAMS}
  /* comments /* nest */ @compute fn none() {} */
  fn scaled(x: f32) -> f32 { return ${factor} * x; } // fn unused() { output[0] = 1; }
  @compute @workgroup_size(WORKGROUP_SIZE) fn forward${SIGNATURE} {
    let i = flat_index(id, groups);
    if (i < params.count) { output[i] = scaled(input[i]); }
  }`;

function scale(module: ReturnType<typeof defineKernel>, input: Tensor, factor: number): Tensor {
  const output = empty(input.device, input.shape);
  const count = countOf(input.shape);
  launch({ module, tensors: { input, output }, params: { count, factor }, size: { invocations: count } });
  return record("scale", output, [[input, (gradOutput) => scale(module, gradOutput, factor)]]);
}

test("a kernel that was written at run time runs, and its gradient flows", async () => {
  const module = defineKernel("scale", scaling("params.factor"));
  expect(module.entryPoints).toEqual({
    forward: [
      { name: "input", binding: 0, access: "read" },
      { name: "output", binding: 1, access: "read_write" },
    ],
  });
  const x = requireGrad(fromArray(device, [3], Float32Array.of(1, -2, 4)));
  const { results, grads } = valueAndGradients(() => [scale(module, scale(module, x, 3), 0.5)], [x]);
  expect(await toArray(results[0])).toEqual(Float32Array.of(1.5, -3, 6));
  expect(await toArray(grads[0]!)).toEqual(Float32Array.of(1.5, 1.5, 1.5));
});

test("a kernel that is defined anew under its name is the new one, ahead of its first run too", async () => {
  const x = fromArray(device, [2], Float32Array.of(1, 2));
  for (const factor of ["2.0", "5.0"]) {
    const module = defineKernel("again", scaling(factor));
    await device.prepare(() => scale(module, x, 1));
    expect(await toArray(scale(module, x, 1))).toEqual(Float32Array.of(1, 2).map((value) => Number(factor) * value));
  }
});

test("entry points whose workgroups have a size of their own are launched by workgroups alone", async () => {
  const module = defineKernel(
    "own",
    `${INPUTS}
    @compute @workgroup_size(2) fn forward(@builtin(global_invocation_id) id: vec3u) { output[id.x] = 2 * input[id.x]; }`,
  );
  const [input, output] = [fromArray(device, [4], Float32Array.of(1, 2, 3, 4)), empty(device, [4])];
  expect(() => launch({ module, tensors: { input, output }, size: { invocations: 4 } })).toThrow(
    "own.forward: expected size in workgroups, as its workgroup size is not WORKGROUP_SIZE",
  );
  launch({ module, tensors: { input, output }, size: { workgroups: 2 } });
  expect(await toArray(output)).toEqual(Float32Array.of(2, 4, 6, 8));
});

describe("what breaks the conventions is refused:", () => {
  const entry = "@compute @workgroup_size(WORKGROUP_SIZE) fn forward() {}";
  test.each<readonly [string, string, string]>([
    ["no entry point", INPUTS, "k: expected an entry point, @compute"],
    [
      "a param of another type",
      `${PARAMS.replace("u32", "vec2f")} ${entry}`,
      "k: expected params of u32, i32, f32, got count: vec2f",
    ],
    [
      "too many params",
      `${PARAMS.replace("count: u32,", Array.from({ length: 64 }, (_, i) => `p${i}: u32,`).join(""))} ${entry}`,
      "k: expected at most 64 params, there are 65",
    ],
    [
      "params elsewhere",
      `${PARAMS.replace("group(1)", "group(0)")} ${entry}`,
      "k: expected the uniform params at @group(1) @binding(0)",
    ],
    [
      "params without a struct",
      `@group(1) @binding(0) var<uniform> count: u32; ${entry}`,
      "k: expected the uniform's type to be a struct, it is u32",
    ],
    ["two uniforms", `${PARAMS} ${PARAMS} ${entry}`, "k: expected one uniform, there are 2"],
    [
      "a tensor in another group",
      `${INPUTS.replace("group(0)", "group(2)")} ${entry}`,
      "k: expected input at @group(0) and a @binding(n)",
    ],
  ])("%s", (_what, code, message) => {
    expect(() => defineKernel("k", code)).toThrow(UsageError);
    expect(() => defineKernel("k", code)).toThrow(message);
  });

  test("names that the code does not have, by the launch", () => {
    const module = defineKernel("scale", scaling("2"));
    const x = fromArray(device, [1], Float32Array.of(1));
    const wrong = (over: Partial<Parameters<typeof launch>[0]>) => () =>
      launch({
        module,
        tensors: { input: x, output: empty(device, [1]) },
        params: { count: 1, factor: 1 },
        size: { invocations: 1 },
        ...over,
      });
    expect(wrong({ tensors: { input: x } })).toThrow(
      "scale.forward<f32>: missing binding output; the WGSL has input, output",
    );
    expect(wrong({ params: { count: 1 } })).toThrow(
      "scale.forward<f32>: missing param factor; the WGSL has count, factor",
    );
    expect(wrong({ entryPoint: "backward" })).toThrow("scale.backward<f32>: no such entry point; the WGSL has forward");
    expect(wrong({ constants: { FAST: true } })).toThrow("no override FAST");
  });

  test("code that does not compile, by the next call that waits", async () => {
    using own = await openDevice();
    const x = fromArray(own, [1], Float32Array.of(1));
    scale(defineKernel("broken", scaling("nonsense")), x, 1);
    const failure: unknown = await own.finish().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(GpuError);
    expect((failure as Error).message).toMatch(/^broken\.forward<f32>: .*nonsense/s);
  });
});
