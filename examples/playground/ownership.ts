// Which elements one invocation of a kernel reads and writes, found by experiment on a small example of its tests: all
// other invocations are sent home, and what is then written, and which inputs change it, is what this one owns. Where
// invocations share memory it is a workgroup's.
import { Device } from "../../src/runtime/device.ts";
import type { KernelSpec } from "../../src/runtime/kernel.ts";
import { countOf, fromArray, toArray, type Shape } from "../../src/tensor/tensor.ts";
import { changedShader } from "../../test/harness/changed_shaders.ts";
import { device } from "../../test/harness/device.ts";
import { poison, valuesOf, type AnyOperation } from "../../test/harness/operation.ts";
import type { OwnedTensor, Ownership } from "./kernels_protocol.ts";

const MOST_ELEMENTS = 400; // of an example's inputs, and of its output
const SEED = 2;

/** An example on which a kernel runs alone. */
interface Example {
  readonly operation: AnyOperation;
  readonly why: string;
  readonly problem: unknown;
  readonly entryPoint: string;
  readonly unit: Unit;
  /** Number of units. */
  readonly count: number;
}

type Unit = Ownership["unit"];

/** Runs the forward of an operation, and gives the output with the launches that it took. */
async function runForward(operation: AnyOperation, problem: unknown, inputs: readonly Float32Array[]) {
  const specs: KernelSpec[] = [];
  let launched: { readonly unit: Unit; readonly count: number } = { unit: "invocation", count: 0 };
  device.kernel = (spec) => {
    specs.push(spec);
    return Device.prototype.kernel.call(device, spec);
  };
  device.workgroups = (count, perWorkgroup) => {
    launched = { unit: perWorkgroup > 1 ? "invocation" : "workgroup", count };
    return Device.prototype.workgroups.call(device, count, perWorkgroup);
  };
  try {
    using _scope = device.scope();
    const tensors = operation.shapes(problem).map((shape, i) => fromArray(device, shape, inputs[i]!));
    const output = operation.run(problem, tensors);
    return { specs, ...launched, shape: output.shape, read: toArray(output) };
  } finally {
    delete (device as { kernel?: unknown }).kernel; // uncovers the methods of the class
    delete (device as { workgroups?: unknown }).workgroups;
  }
}

const sizeOf = (shapes: readonly Shape[]): number => shapes.reduce((sum, shape) => sum + countOf(shape), 0);

/** The largest small example in which a shader's kernel is all that runs. */
export async function exampleOf(shader: string, operations: readonly AnyOperation[]): Promise<Example | null> {
  let best: (Example & { readonly size: number }) | null = null;
  for (const operation of operations) {
    for (const [why, problem] of operation.problems as readonly (readonly [string, unknown])[]) {
      const size = sizeOf(operation.shapes(problem));
      if (size > MOST_ELEMENTS || size <= (best?.size ?? 0)) continue;
      const { inputs } = valuesOf(operation, problem, SEED, false, "f32");
      const { specs, unit, count, shape, read } = await runForward(operation, problem, inputs);
      await read;
      const [spec] = specs;
      if (specs.length !== 1 || spec?.module.name !== shader || count < 2 || countOf(shape) > MOST_ELEMENTS) continue;
      best = { operation, why, problem, entryPoint: spec.entryPoint, unit, count, size };
    }
  }
  return best;
}

/**
 * The code with one entry point at whose start all but one leave, which `unit` counts; null if there is no such entry
 * point, or its invocations share memory and cannot leave one by one.
 */
export function guarded(code: string, entryPoint: string, unit: Unit, index: number): string | null {
  const start = code.search(new RegExp(`\\bfn\\s+${entryPoint}\\s*\\(`));
  const body = code.indexOf("{", start);
  const end = code.indexOf("\n}", body);
  if (start < 0 || body < 0 || end < 0) return null;
  if (unit === "invocation" && /\b(workgroupBarrier|subgroup\w+)\s*\(/.test(code.slice(body, end))) return null;
  let signature = code.slice(start, body);
  /** The name of a builtin, which is added to the signature if it is not there. */
  const nameOf = (builtin: string): string => {
    const known = new RegExp(`@builtin\\(${builtin}\\)\\s*(\\w+)`).exec(signature)?.[1];
    if (known) return known;
    const added = `guard_${builtin}`;
    signature = signature.replace("(", `(@builtin(${builtin}) ${added}: vec3u, `);
    return added;
  };
  const counted = nameOf(unit === "invocation" ? "global_invocation_id" : "workgroup_id");
  const groups = nameOf("num_workgroups");
  const flat =
    unit === "invocation" ? `flat_index(${counted}, ${groups})` : `${counted}.x + ${counted}.y * ${groups}.x`;
  return `${code.slice(0, start)}${signature}{ if (${flat} != ${index}u) { return; }${code.slice(body + 1)}`;
}

/**
 * Finds what an invocation, or a workgroup, reads and writes.
 * @param code of the shader
 * @param index of the invocation or workgroup
 * @returns null if the kernel does not allow the experiment
 */
export async function ownershipOf(
  shader: string,
  code: string,
  example: Example,
  index: number,
): Promise<Ownership | null> {
  const { operation, why, problem, entryPoint, unit, count } = example;
  const alone = guarded(code, entryPoint, unit, index);
  if (alone === null) return null;
  const { inputs } = valuesOf(operation, problem, SEED, false, "f32");
  using _changed = changedShader(shader, alone, `${unit} ${index}`);
  poison(); // so that what is not written is NaN
  const { shape, read } = await runForward(operation, problem, inputs);
  const output = await read;
  const written = [...output.keys()].filter((at) => !Number.isNaN(output[at]!));
  const isAffected = async (i: number, at: number, value: number): Promise<boolean> => {
    const changed = inputs.map((numbers, j) => (j === i ? numbers.with(at, value) : numbers));
    const again = await (await runForward(operation, problem, changed)).read;
    return written.some((place) => !Object.is(again[place], output[place]));
  };
  const tensors: OwnedTensor[] = [];
  for (const [i, inputShape] of operation.shapes(problem).entries()) {
    const elements: number[] = [];
    for (const [at, value] of inputs[i]!.entries())
      if ((await isAffected(i, at, NaN)) || (await isAffected(i, at, value + 3))) elements.push(at);
    tensors.push({ name: `input ${i}`, shape: inputShape, elements });
  }
  return {
    example: `${operation.name}, ${why}`,
    entryPoint,
    unit,
    index,
    count,
    read: tensors,
    written: { name: "output", shape, elements: written },
  };
}
