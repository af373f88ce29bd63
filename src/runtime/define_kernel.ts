import { UsageError } from "./errors.ts";
import { PARAM_SLOT_BYTES } from "./params.ts";
import type { WgslBinding, WgslModule, WgslParam } from "./wgsl.ts";
import { withoutComments } from "./wgsl_comments.mjs";

const WHOLE_WORKGROUP = /@workgroup_size\s*\(\s*WORKGROUP_SIZE\s*,?\s*\)/;
const WORD_BYTES = 4;
const TYPES = ["u32", "i32", "f32"] as const;

/**
 * Makes a module for `launch` from WGSL written at run time, as the build does for the library's own shaders.
 * Conventions:
 *
 * - tensors are `@group(0) @binding(n) var<storage, read or read_write> name: array<...>`; an entry point binds those
 *   that it, or a function that it calls, names, so no local variable may have a tensor's name;
 * - numbers are u32, i32 or f32 members of one struct: `@group(1) @binding(0) var<uniform> params: Params`;
 * - options are `override`s, which `launch` takes as `constants`;
 * - an entry point is `@compute @workgroup_size(WORKGROUP_SIZE)`, and `flat_index` counts its invocations. One with
 *   another workgroup size is launched by `workgroups`, not by `invocations`;
 * - `elem`, `pack`, `accum` and `PACK` are set by `element`: see shaders/prelude.
 *
 * @param name of the kernel in errors and profiles
 * @throws UsageError if the code breaks these conventions. Code that does not compile throws GpuError at the first
 *   launch
 */
export function defineKernel(name: string, code: string): WgslModule {
  const module = interfaceOf(name, code);
  if (Object.keys(module.entryPoints).length === 0) {
    throw new UsageError(`${name}: expected an entry point, @compute @workgroup_size(WORKGROUP_SIZE) fn name`);
  }
  return { name, code, ...module };
}

/**
 * A module of the library's own WGSL, which follows the conventions of `defineKernel`; its interface is read when it is
 * first needed. The build of one-file bundles calls it, for each file of shaders/: tools/build/vite_wgsl.mjs.
 */
export function lazyModule(name: string, code: string): WgslModule {
  let known: WgslInterface | undefined;
  const read = (): WgslInterface => (known ??= interfaceOf(name, code));
  return {
    name,
    code,
    get entryPoints() {
      return read().entryPoints;
    },
    get params() {
      return read().params;
    },
    get overrides() {
      return read().overrides;
    },
  };
}

type WgslInterface = Omit<WgslModule, "name" | "code">;

function interfaceOf(name: string, code: string): WgslInterface {
  const refuse = (problem: string): never => {
    throw new UsageError(`${name}: ${problem}`);
  };
  const bare = withoutComments(code);
  const variables = variablesOf(bare);
  const [uniform, ...rest] = variables.filter(({ space }) => space === "uniform");
  if (rest.length > 0) refuse(`expected one uniform, there are ${rest.length + 1}; put all numbers into its struct`);
  if (uniform && !(uniform.group === 1 && uniform.binding === 0)) {
    refuse(`expected the uniform ${uniform.name} at @group(1) @binding(0)`);
  }
  const storage = variables.filter(({ space }) => space === "storage");
  for (const { name, group, binding } of storage) {
    if (!(group === 0 && Number.isInteger(binding))) refuse(`expected ${name} at @group(0) and a @binding(n)`);
  }
  const functions = functionsOf(bare);
  const entries = [...functions.values()].filter(({ attributes }) => /@compute\b/.test(attributes));
  const bindingsOf = (entry: WgslFunction): readonly WgslBinding[] => {
    const words = reachableWords(entry, functions);
    return storage
      .filter(({ name }) => words.has(name))
      .map(({ name, binding, access }) => ({ name, binding, access }))
      .sort((a, b) => a.binding - b.binding);
  };
  const ownSizes = entries.filter(({ attributes }) => !WHOLE_WORKGROUP.test(attributes));
  return {
    entryPoints: Object.fromEntries(entries.map((entry) => [entry.name, bindingsOf(entry)])),
    params: uniform ? paramsOf(bare, uniform.type, refuse) : [],
    overrides: [...bare.matchAll(/\boverride\s+(\w+)/g)].map(([, name]) => name!),
    ...(ownSizes.length > 0 && { ownSizes: ownSizes.map(({ name }) => name) }),
  };
}

interface Variable {
  readonly space: string;
  readonly access: WgslBinding["access"];
  readonly name: string;
  readonly type: string;
  readonly group: number;
  readonly binding: number;
}

function variablesOf(code: string): Variable[] {
  const declaration = /([^;{}]*)\bvar\s*<\s*(storage|uniform)\s*(?:,\s*(\w+)\s*)?>\s*(\w+)\s*:\s*([^;]+);/g;
  const numberIn = (attributes: string, of: string): number =>
    Number(new RegExp(`@${of}\\s*\\(\\s*(\\d+)u?\\s*,?\\s*\\)`).exec(attributes)?.[1] ?? NaN);
  return [...code.matchAll(declaration)].map(([, attributes, space, access, name, type]) => ({
    space: space!,
    access: access === "read_write" ? access : "read",
    name: name!,
    type: type!.trim(),
    group: numberIn(attributes!, "group"),
    binding: numberIn(attributes!, "binding"),
  }));
}

function paramsOf(code: string, struct: string, refuse: (problem: string) => never): WgslParam[] {
  const members = new RegExp(`\\bstruct\\s+${struct}\\s*\\{([^}]*)\\}`).exec(code)?.[1];
  if (members === undefined) return refuse(`expected the uniform's type to be a struct, it is ${struct}`);
  const params = members
    .split(",")
    .map((member) => member.trim())
    .filter(Boolean)
    .map((member, i): WgslParam => {
      const [, name, word] = /^(\w+)\s*:\s*(\w+)$/.exec(member) ?? [];
      const type = TYPES.find((type) => type === word);
      if (!name || !type) return refuse(`expected params of ${TYPES.join(", ")}, got ${member}`);
      return { name, offset: WORD_BYTES * i, type };
    });
  const most = PARAM_SLOT_BYTES / WORD_BYTES;
  return params.length > most ? refuse(`expected at most ${most} params, there are ${params.length}`) : params;
}

interface WgslFunction {
  readonly name: string;
  readonly attributes: string;
  /** Every word between the parameters and the end of the function, except member names. */
  readonly words: ReadonlySet<string>;
  /** Words followed by a parenthesis. */
  readonly calls: ReadonlySet<string>;
}

function functionsOf(code: string): Map<string, WgslFunction> {
  const functions = new Map<string, WgslFunction>();
  for (const { 1: attributes, 2: name, 0: all, index } of code.matchAll(/([^;{}]*)\bfn\s+(\w+)/g)) {
    const start = index + all.length;
    const text = code.slice(start, endOfBlock(code, start));
    const [words, calls] = [text.match(/(?<![.\w])\w+/g), text.match(/\w+(?=\s*\()/g)];
    functions.set(name!, { name: name!, attributes: attributes!, words: new Set(words), calls: new Set(calls) });
  }
  return functions;
}

/** Index after the brace that closes the first block from `start` on. */
function endOfBlock(code: string, start: number): number {
  let depth = 0;
  for (let at = code.indexOf("{", start); at >= 0 && at < code.length; at++) {
    if (code[at] === "{") depth++;
    else if (code[at] === "}") depth -= 1;
    if (depth === 0) return at + 1;
  }
  return code.length;
}

/** Words of a function and of all functions that it calls, directly or indirectly. */
function reachableWords(entry: WgslFunction, functions: ReadonlyMap<string, WgslFunction>): ReadonlySet<string> {
  const reached = new Set([entry]);
  // Iterating a set also visits what is added meanwhile.
  for (const { calls } of reached) {
    for (const name of calls) {
      const called = functions.get(name);
      if (called) reached.add(called);
    }
  }
  return new Set([...reached].flatMap(({ words }) => [...words]));
}
