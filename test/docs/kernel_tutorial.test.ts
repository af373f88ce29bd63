// The kernel of docs/kernels.md that is added in ten minutes: its WGSL computes what its definition says.
import ts from "typescript";
import { expect, test } from "vitest";
import { launch } from "../../src/kernels/launch.ts";
import { defineKernel } from "../../src/runtime/define_kernel.ts";
import { empty, fromArray, toArray, type Tensor } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";
import { poison } from "../harness/operation.ts";
import { blocksOf } from "./pages.ts";

const blocks = blocksOf("docs/kernels.md").filter(({ title }) => title === "Add a kernel in ten minutes");
const [definition, shader] = [blocks.find(({ language }) => language === "ts")!, blocks.find(isWgsl)!];
const [SCALE, MOST] = [2, 3];

function isWgsl({ language }: { readonly language: string }): boolean {
  return language === "wgsl";
}

interface Definition {
  readonly forward: (input: ArrayLike<number>, scale: number, most: number) => Float64Array;
  readonly backward: (
    input: ArrayLike<number>,
    gradOutput: ArrayLike<number>,
    scale: number,
    most: number,
  ) => Float64Array;
}

test.each([
  ["f32", 15, 15],
  ["f32x4", 16, 4],
] as const)("as %s, forward and backward are as defined", async (element, count, packs) => {
  const options = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext };
  const script = encodeURIComponent(ts.transpile(definition.code, options));
  const { forward, backward } = (await import(/* @vite-ignore */ `data:text/javascript,${script}`)) as Definition;
  const module = defineKernel("clamp_scale", shader.code);
  const values = Float32Array.from({ length: count }, (_, i) => i - 7);
  const gradients = values.map((value) => value / 4 + 1);
  const run = (entryPoint: string, tensors: Readonly<Record<string, Tensor>>): void =>
    launch({
      module,
      entryPoint,
      element,
      tensors,
      params: { packs, scale: SCALE, most: MOST },
      size: { invocations: packs },
    });
  using _scope = device.scope({ awaits: true });
  poison();
  const [input, grad_output] = [fromArray(device, [count], values), fromArray(device, [count], gradients)];
  const [output, grad_input] = [empty(device, [count]), empty(device, [count])];
  run("forward", { input, output });
  run("backward_input", { input, grad_output, grad_input });
  expect([...(await toArray(output))]).toEqual([...forward(values, SCALE, MOST)]);
  expect([...(await toArray(grad_input))]).toEqual([...backward(values, gradients, SCALE, MOST)]);
});
