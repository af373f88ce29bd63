import { describe, expect, test } from "vitest";
import { detectRaces } from "wgsl_reflect/wgsl_reflect.module.js";
import { wgslOf } from "../../src/runtime/kernel.ts";
import type { WgslModule } from "../../src/runtime/wgsl.ts";

const BARRIER = "workgroupBarrier();";
const LANES = 8; // of a workgroup: the interpreter is slow

const modules = Object.values(import.meta.glob<WgslModule>("../../shaders/*.wgsl", { eager: true, import: "default" }));

/** From the name of a function in `code` to its closing brace. */
function bodyOf(code: string, name: string): string {
  const from = code.indexOf(`fn ${name}(`);
  return code.slice(from, code.indexOf("\n}\n", from));
}

/** The interpreter knows neither overrides nor named workgroup sizes: spell them out, with their default values. */
function spelled(module: WgslModule): string {
  const code = wgslOf(module, "f32x4");
  const overrides = [...code.matchAll(/^override (\w+): \w+ = ([\w.]+);/gm)].map(([, name, value]) => [name!, value!] as const);
  const values = { ...Object.fromEntries(overrides), WORKGROUP_SIZE: `${LANES}`, BLOCK: `${LANES}` };
  const plain = code.replace(/^override .*$/gm, "").replace(/^const BLOCK .*$/gm, "");
  return Object.entries(values).reduce((text, [name, value]) => text.replace(new RegExp(`\\b${name}\\b`, "g"), value), plain);
}

interface Problem {
  readonly workgroups: number;
  /** By group and binding; the race detector writes into them. */
  readonly buffers: () => Record<string, Record<string, unknown>>;
  /** Barriers, from 1, that order atomics alone: without them values are wrong, but nothing races. */
  readonly betweenAtomics?: readonly number[];
}

const uniform = (...values: number[]) => ({ uniform: new Uint32Array(values) });

/**
 * A small problem for each entry point with barriers: more than one workgroup where it may have several. The interpreter
 * mixes up the lanes' arguments of functions, so it is not asked for values; what a lane reads and writes of the
 * workgroup's memory depends on its index alone.
 */
const PROBLEMS: Readonly<Record<string, Problem>> = {
  // 12 samples of an image of 2 x 2, in two blocks.
  "grid_sample.rank": {
    workgroups: 2,
    buffers: () => ({
      0: { 1: new Float32Array(24), 6: new Uint32Array(12), 7: new Uint32Array(18) },
      1: { 0: uniform(1, 2, 2, 1, 3, 4) },
    }),
  },
  // Two samples of an image of 2 x 2 with more channel packs than lanes.
  "grid_sample.backward_grid": {
    workgroups: 2,
    buffers: () => ({
      0: { 0: new Float32Array(144), 1: Float32Array.of(0.1, -0.3, 0.5, 0.2), 2: new Float32Array(72), 5: new Float32Array(4) },
      1: { 0: uniform(1, 2, 2, 9, 1, 2) },
    }),
  },
  "scan.block_totals": {
    workgroups: 2,
    buffers: () => ({ 0: { 0: new Uint32Array(2 * 32 * LANES - 5), 2: new Uint32Array(2) }, 1: { 0: uniform(2 * 32 * LANES - 5) } }),
  },
  // A row of 12 elements, and a workgroup beyond the rows.
  "top_k_mean.forward": {
    workgroups: 2,
    betweenAtomics: [1, 2],
    buffers: () => ({
      0: { 0: Float32Array.from({ length: 48 }, (_, i) => i % 5), 3: new Float32Array(4), 4: new Uint32Array(2) },
      1: { 0: uniform(1, 12, 3) },
    }),
  },
  "histogram.forward": {
    workgroups: 2,
    betweenAtomics: [1, 2],
    buffers: () => ({ 0: { 0: new Float32Array(1200), 1: new Uint32Array(3) }, 1: { 0: uniform(300, 3, 1, 0, 0x3f800000) } }),
  },
  "scan.forward": { workgroups: 1, buffers: () => ({ 0: { 0: new Uint32Array(19), 1: new Uint32Array(20) }, 1: { 0: uniform(19) } }) },
};

const withBarriers = modules.flatMap((module) =>
  Object.keys(module.entryPoints)
    .filter((entryPoint) => bodyOf(module.code, entryPoint).includes(BARRIER))
    .map((entryPoint) => [`${module.name}.${entryPoint}`, module, entryPoint] as const));

test("every kernel with barriers is looked at", () => {
  expect(withBarriers.map(([name]) => name).sort()).toEqual(Object.keys(PROBLEMS).sort());
});

describe.each(withBarriers)("%s", (name, module, entryPoint) => {
  const { workgroups, buffers, betweenAtomics = [] } = PROBLEMS[name]!;
  const code = spelled(module);
  const body = bodyOf(code, entryPoint);
  const racesIn = (source: string) => {
    const { races, errors } = detectRaces(source, entryPoint, [workgroups, 1, 1], buffers());
    expect(errors).toEqual([]);
    return races.map(({ message }) => message);
  };

  test("has the barriers it needs", () => expect(racesIn(code)).toEqual([]));

  test("needs the barriers it has", () => {
    const parts = body.split(BARRIER);
    for (let i = 1; i < parts.length; i++) {
      if (betweenAtomics.includes(i)) continue;
      const without = parts.slice(0, i).join(BARRIER) + parts.slice(i).join(BARRIER);
      expect(racesIn(code.replace(body, without)).length, `races without barrier ${i}`).toBeGreaterThan(0);
    }
  });
});
