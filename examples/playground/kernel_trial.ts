// Trials of changed WGSL in the explorer's worker: does it compile, does it compute what its definition says, how fast
// is it. Any kernel of the library, or one of the visitor's own.
import { isPossible, KERNELS } from "../../bench/kernels/rows.ts";
import { measureKernel } from "../../bench/measure.ts";
import {
  defineKernel,
  empty,
  fromArray,
  launch,
  record,
  requireGrad,
  toArray,
  valueAndGradients,
} from "../../src/index.ts";
import { wgslOf } from "../../src/runtime/kernel.ts";
import type { Device } from "../../src/runtime/device.ts";
import type { WgslModule } from "../../src/runtime/wgsl.ts";
import { countOf, type Tensor } from "../../src/tensor/tensor.ts";
import { changedShader, shaderModule, shadersOf } from "../../test/harness/changed_shaders.ts";
import { compareResults, withForm, type AnyOperation } from "../../test/harness/operation.ts";
import { DEFINITIONS } from "./definitions.ts";
import type { Check, CodeFault, Duration } from "./kernels_protocol.ts";

const OPERATIONS = import.meta.glob<Record<string, unknown>>("../../test/operations/*.ts");
const ELEMENT = "f32"; // whose prelude stands before the code that is compiled for its messages
const SEED = 2;

let edited: Disposable | null = null;
let trials = 0;

/** Puts WGSL in place of a shader's own until the next call; null gives back the library's. */
export function useCode(shader: string, code: string | null): void {
  edited?.[Symbol.dispose]();
  edited = code === null ? null : changedShader(shader, code, `trial ${++trials}`);
}

/** The compiler's errors, with their lines in the code. */
export async function compileFaults({ gpu }: Device, module: WgslModule): Promise<CodeFault[]> {
  const before = wgslOf({ ...module, code: "" }, ELEMENT).split("\n").length - 1;
  gpu.pushErrorScope("validation");
  const shader = gpu.createShaderModule({ code: wgslOf(module, ELEMENT) });
  const [{ messages }] = await Promise.all([shader.getCompilationInfo(), gpu.popErrorScope()]);
  return messages
    .filter(({ type }) => type === "error")
    .map(({ lineNum, message }) => ({ line: Math.max(1, lineNum - before), message }));
}

export const moduleOf = (shader: string): WgslModule => shaderModule(shader);

const isOperation = (value: unknown): value is AnyOperation =>
  typeof value === "object" && value !== null && "problems" in value && "run" in value;

export async function operationsOf(shader: string): Promise<readonly AnyOperation[]> {
  const files = DEFINITIONS[shader]?.operations ?? [];
  const modules = await Promise.all(files.map((name) => OPERATIONS[`../../test/operations/${name}.ts`]!()));
  return modules.flatMap((module) => Object.values(module).flat()).filter(isOperation);
}

/** Runs `work` with the form of products that a shader needs. */
export function withFormOf<T>(shader: string, work: () => Promise<T>): Promise<T> {
  const { form } = DEFINITIONS[shader] ?? {};
  return form === undefined ? work() : withForm(form, work);
}

/** Compares the operations that run a shader with their float64 definitions, on all problems of their tests. */
export async function checksOf(shader: string): Promise<Check[]> {
  const checks: Check[] = [];
  for (const operation of await operationsOf(shader)) {
    let [difference, problems, excess] = [0, 0, null as string | null];
    const work = async (): Promise<void> => {
      for (const [why, problem] of operation.problems as readonly (readonly [string, unknown])[]) {
        problems++;
        for (const result of await compareResults(operation, problem, SEED, "f32")) {
          difference = Math.max(difference, result.difference);
          excess ??= result.excess && `${why}: ${result.excess}`;
        }
      }
    };
    const used = await shadersOf(() => withFormOf(shader, work));
    if (used.has(shader)) checks.push({ operation: operation.name, problems, difference, excess });
  }
  return checks;
}

/** Times a shader's first benchmark. */
export async function durationOf(device: Device, shader: string): Promise<Duration | null> {
  const row = KERNELS.find((other) => other.kernel.split(".")[0] === shader && isPossible(device, other));
  if (!row) return null;
  const { kernel, what, least } = await measureKernel(device, row);
  return { what: `${kernel}, ${what}`, milliseconds: least };
}

/** A kernel of the visitor's own: `forward` and `backward` of one input, as examples/own_kernel.mjs has them. */
export function ownOperation(code: string): (x: Tensor) => Tensor {
  const module = defineKernel(`own ${++trials}`, code);
  const run = (entryPoint: string, tensors: { readonly x: Tensor; readonly grad_output?: Tensor }): Tensor => {
    const output = empty(tensors.x.device, tensors.x.shape);
    const count = countOf(output.shape);
    launch({ module, entryPoint, tensors: { ...tensors, output }, params: { count }, size: { invocations: count } });
    return output;
  };
  return (x) => record("own", run("forward", { x }), [[x, (grad_output) => run("backward", { x, grad_output })]]);
}

const [COUNT, REACH, STEP] = [256, 4, 2 ** -6]; // of numbers, from -REACH to REACH; the step of differences

/** Compares a kernel's gradient with central differences of its forward, at numbers away from 0. */
export async function gradientCheck(device: Device, apply: (x: Tensor) => Tensor): Promise<Check> {
  using _scope = device.scope({ awaits: true });
  const places = Float32Array.from({ length: COUNT }, (_, i) => ((2 * i + 1) / COUNT - 1) * REACH);
  const at = async (shift: number): Promise<Float32Array> =>
    toArray(
      apply(
        fromArray(
          device,
          [COUNT],
          places.map((x) => x + shift),
        ),
      ),
    );
  const x = requireGrad(fromArray(device, [COUNT], places));
  const { grads } = valueAndGradients(() => [apply(x)], [x]);
  const own = await toArray(grads[0]!);
  const [above, below] = [await at(STEP), await at(-STEP)];
  const differences = own.map((slope, i) => Math.abs(slope - (above[i]! - below[i]!) / (2 * STEP)));
  const difference = differences.reduce((most, one) => Math.max(most, one), 0);
  const worst = differences.findIndex((one) => !(one < difference));
  const largest = own.reduce((most, slope) => Math.max(most, Math.abs(slope)), 1);
  // differences of second order, and the rounding of f32
  const allowed = largest * (STEP ** 2 + 1e-4) * 4;
  const isRight = difference <= allowed;
  const words = `at ${places[worst]?.toFixed(3)}: ${own[worst]}, by differences ${(above[worst]! - below[worst]!) / (2 * STEP)}`;
  return {
    operation: "backward, against differences of forward",
    problems: COUNT,
    difference,
    excess: isRight ? null : words,
  };
}
