import { describe, expect, test } from "vitest";
import { detectRaces } from "wgsl_reflect/wgsl_reflect.module.js";
import { matrixModule } from "../../src/kernels/products/subgroup.ts";
import { wgslOf } from "../../src/runtime/kernel.ts";
import type { WgslModule } from "../../src/runtime/wgsl.ts";
import { withoutMatrices } from "../../tools/build/without_matrices.mjs";

const BARRIER = "workgroupBarrier();";
const LANES = 8; // of a workgroup: the interpreter is slow

const modules = Object.values(import.meta.glob<WgslModule>("../../shaders/*.wgsl", { eager: true, import: "default" }));

/** From the name of a function in `code` to its closing brace. */
function bodyOf(code: string, name: string): string {
  const from = code.indexOf(`fn ${name}(`);
  return code.slice(from, code.indexOf("\n}\n", from));
}

/**
 * Replaces subgroups, which the interpreter does not support: a workgroup is one, and each lane reads and writes one
 * element of its matrices.
 */
const withoutSubgroups = (code: string): string =>
  withoutMatrices(code)
    .replace("  @builtin(subgroup_id) subgroup: u32,\n", "")
    .replace("let owns = subgroup", "let subgroup = 0u;\n  let owns = subgroup")
    .replace("var sums: array<Sums, 16>;", "var sums: array<f32, 16>;")
    .replace("var right: array<Right, 4>;", "var right: array<f32, 4>;")
    .replace(/load_left\((.*)\);/, "a_matrices[$1][lane];")
    .replace(/load_right\((.*)\);/, "b_matrices[$1][lane];")
    .replace(/multiply_add\(left, right\[c\], (.*)\); }/, "$1 + left * right[c]; }")
    .replace(/store_sums\((.*), (sums\[.*\])\);/, "result[$1 + lane] = $2;");

/** Code of a module, with what stands before it: units for matrices of 4 x 4. */
const codeOf = (module: WgslModule): string => {
  const units = { m: 4, n: 4, k: 4, type: "f32" } as const;
  return wgslOf(module.name === "subgroup_product" ? matrixModule("subgroup-matrix", units) : module, "f32x4");
};

/** Spells out overrides and named workgroup sizes, which it does not support either, with their default values. */
function spelled(module: WgslModule, others: Readonly<Record<string, string>> = {}): string {
  const code = withoutSubgroups(codeOf(module));
  const overrides = [...code.matchAll(/^override (\w+): \w+ = ([\w.]+);/gm)].map(
    ([, name, value]) => [name!, value!] as const,
  );
  const values = {
    ...Object.fromEntries(overrides),
    WORKGROUP_SIZE: `${LANES}`,
    BLOCK: `${LANES}`,
    LANES: "4",
    ...others,
  };
  const plain = code.replace(/^override .*$/gm, "").replace(/^const BLOCK .*$/gm, "");
  return Object.entries(values).reduce(
    (text, [name, value]) => text.replace(new RegExp(`\\b${name}\\b`, "g"), value),
    plain,
  );
}

interface Problem {
  readonly workgroups: number;
  /** Values of overrides that differ from the defaults. */
  readonly overrides?: Readonly<Record<string, string>>;
  /** By group and binding; the race detector writes into them. */
  readonly buffers: () => Record<string, Record<string, unknown>>;
  /** Barriers, counted from 1, that only order atomics: without them values are wrong, but nothing races. */
  readonly betweenAtomics?: readonly number[];
}

const uniform = (...values: number[]) => ({ uniform: new Uint32Array(values) });

/** A product of 8 x 8 by 16 terms. */
const productBuffers: Problem["buffers"] = () => ({
  0: {
    0: new Float32Array(128),
    1: new Float32Array(128),
    2: new Float32Array(8),
    3: new Float32Array(64),
    4: new Float32Array(4),
  },
  1: { 0: uniform(1, 8, 1, 8, 16, 16, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1) },
});

/**
 * A small problem for each entry point with barriers, with more than one workgroup if it may have several. The
 * interpreter confuses the lanes' function arguments, so values are not checked; a lane's accesses to workgroup memory
 * depend only on its index.
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
      0: {
        0: new Float32Array(144),
        1: Float32Array.of(0.1, -0.3, 0.5, 0.2),
        2: new Float32Array(72),
        5: new Float32Array(4),
      },
      1: { 0: uniform(1, 2, 2, 9, 1, 2) },
    }),
  },
  // 12 keys in two blocks.
  "bucket.rank": {
    workgroups: 2,
    buffers: () => ({
      0: { 0: Uint32Array.from({ length: 12 }, (_, i) => i % 3), 1: new Uint32Array(12), 2: new Uint32Array(6) },
      1: { 0: uniform(12, 3) },
    }),
  },
  "scan.block_totals": {
    workgroups: 2,
    buffers: () => ({
      0: { 0: new Uint32Array(2 * 32 * LANES - 5), 2: new Uint32Array(2) },
      1: { 0: uniform(2 * 32 * LANES - 5) },
    }),
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
    buffers: () => ({
      0: { 0: new Float32Array(1200), 1: new Uint32Array(3) },
      1: { 0: uniform(300, 3, 1, 0, 0x3f800000) },
    }),
  },
  // 8 x 8 by 16 terms: 8 lanes of 4 x 4 for two tiles of 8 x 16, one of them outside, in two steps of eight.
  "tiled_product.forward": {
    workgroups: 2,
    overrides: { TILE_ROWS: "8u", TILE_COLUMNS: "16u", TILE_DEPTH: "8u", LANE_ROWS: "4u", LANE_COLUMNS: "4u" },
    buffers: productBuffers,
  },
  // 16 queries and 32 rows of 32 channels: 8 lanes for two tiles of rows, each in two steps; and a tile of queries
  // outside.
  "nearest_rows.forward": {
    workgroups: 2,
    overrides: { TILE_QUERIES: "16u", TILE_ROWS: "16u" },
    buffers: () => ({
      0: { 0: new Float32Array(512), 1: new Float32Array(1024), 2: new Uint32Array(32) },
      1: { 0: uniform(16, 32, 32, 1, 32, 1) },
    }),
  },
  // 20 rows of 5 packs in three blocks of 8: two lanes of a workgroup for each four rows.
  "farthest_point.update": {
    workgroups: 3,
    buffers: () => ({
      0: {
        0: new Float32Array(400),
        1: new Uint32Array(3),
        2: Uint32Array.of(2),
        3: new Float32Array(20),
        4: new Uint32Array(6),
      },
      1: { 0: uniform(20, 5, 3, 3) },
    }),
  },
  "farthest_point.choose": {
    workgroups: 1,
    buffers: () => ({
      0: { 5: new Uint32Array(24), 6: new Uint32Array(3), 7: Uint32Array.of(1) },
      1: { 0: uniform(20, 5, 12, 3) },
    }),
  },
  // The same by one subgroup: 2 x 2 matrices of 4 x 4 for each of two tiles of 8 x 8, one of them outside.
  "subgroup_product.forward_matrices": {
    workgroups: 2,
    overrides: {
      TILE_ROWS: "8u",
      TILE_COLUMNS: "8u",
      TILE_DEPTH: "8u",
      MATRIX_ROWS: "2u",
      MATRIX_COLUMNS: "2u",
      SUBGROUP_ROWS: "1u",
      SUBGROUP_COLUMNS: "1u",
    },
    buffers: productBuffers,
  },
  "scan.forward": {
    workgroups: 1,
    buffers: () => ({ 0: { 0: new Uint32Array(19), 1: new Uint32Array(20) }, 1: { 0: uniform(19) } }),
  },
};

const withBarriers = modules.flatMap((module) =>
  Object.keys(module.entryPoints)
    .filter((entryPoint) => bodyOf(module.code, entryPoint).includes(BARRIER))
    .map((entryPoint) => [`${module.name}.${entryPoint}`, module, entryPoint] as const),
);

test("every kernel with barriers is looked at", () => {
  expect(withBarriers.map(([name]) => name).sort()).toEqual(Object.keys(PROBLEMS).sort());
});

function findRaces(source: string, entryPoint: string, { workgroups, buffers }: Problem): string[] {
  const { races, errors } = detectRaces(source, entryPoint, [workgroups, 1, 1], buffers());
  expect(errors).toEqual([]);
  return races.map(({ message }) => message);
}

/** The program without the first barrier of a function, then without its second, and so on. */
function withoutEachBarrier(code: string, name: string): string[] {
  const parts = bodyOf(code, name).split(BARRIER);
  return parts
    .slice(1)
    .map((_, i) =>
      code.replace(bodyOf(code, name), parts.slice(0, i + 1).join(BARRIER) + parts.slice(i + 1).join(BARRIER)),
    );
}

// The functions of prelude/rows.wgsl contain barriers: every kernel that calls them, with two rows of two packs per
// workgroup of 8 lanes, and one row beyond the last.
const rows = (bindings: readonly number[], ...params: number[]): Problem => ({
  workgroups: 2,
  buffers: () => ({
    0: Object.fromEntries(bindings.map((binding) => [binding, new Float32Array(24)])),
    1: { 0: uniform(3, 2, ...params) },
  }),
});
const ROW_KERNELS: Readonly<Record<string, Problem>> = {
  "softmax.forward": rows([0, 3]),
  "softmax.backward_input": rows([1, 2, 4]),
  "layer_norm.forward": rows([0, 1, 4], 0, 1, 1),
  "layer_norm.backward_input": rows([0, 1, 2, 5, 6], 0, 1, 1),
  "row_products.norm_forward": rows([0, 4], 0),
  "row_products.norm_backward": rows([0, 2, 6], 0),
  "row_products.normalize_forward": rows([0, 5], 0),
  "row_products.normalize_backward": rows([0, 3, 6], 0),
  "row_products.cosine_forward": rows([0, 1, 4], 0),
  "row_products.cosine_backward": rows([0, 1, 2, 6, 7], 0),
};
const rowPrograms = modules
  .filter(({ code }) => /\brow_(sum|max)\(/.test(code))
  .flatMap((module) =>
    Object.keys(module.entryPoints).map((entryPoint) => ({
      name: `${module.name}.${entryPoint}`,
      code: spelled(module),
      entryPoint,
    })),
  )
  .filter(({ code, entryPoint }) => bodyOf(code, entryPoint).includes("row_lane("));

describe("lanes that share a row", () => {
  test("are looked at in every kernel that has them", () => {
    expect(rowPrograms.map(({ name }) => name).sort()).toEqual(Object.keys(ROW_KERNELS).sort());
  });

  test.each(rowPrograms)("have the barriers they need in $name", ({ name, code, entryPoint }) => {
    expect(findRaces(code, entryPoint, ROW_KERNELS[name]!)).toEqual([]);
  });

  test.each(["row_sum", "row_max"])("have no barrier in %s that no kernel needs", (f) => {
    for (let i = 0; i < 3; i++) {
      const races = rowPrograms.map(({ name, code, entryPoint }) => {
        const sources = withoutEachBarrier(code, f);
        expect(sources).toHaveLength(3);
        return findRaces(sources[i]!, entryPoint, ROW_KERNELS[name]!).length;
      });
      expect(Math.max(...races), `races without barrier ${i + 1}`).toBeGreaterThan(0);
    }
  });
});

describe.each(withBarriers)("%s", (name, module, entryPoint) => {
  const { betweenAtomics = [], overrides } = PROBLEMS[name]!;
  const code = spelled(module, overrides);
  const racesIn = (source: string) => findRaces(source, entryPoint, PROBLEMS[name]!);

  test("has the barriers it needs", () => expect(racesIn(code)).toEqual([]));

  test("needs the barriers it has", () => {
    withoutEachBarrier(code, entryPoint).forEach((source, i) => {
      if (betweenAtomics.includes(i + 1)) return;
      expect(racesIn(source).length, `races without barrier ${i + 1}`).toBeGreaterThan(0);
    });
  });
});
