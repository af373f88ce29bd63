import matrices from "../../../shaders/subgroup_product.wgsl";
import tiled from "../../../shaders/tiled_product.wgsl";
import type { Device } from "../../runtime/device.ts";
import type { MatrixKind, MatrixUnits } from "../../runtime/matrices.ts";
import type { WgslModule } from "../../runtime/wgsl.ts";
import type { FloatDType } from "../../tensor/tensor.ts";
import type { Tiling } from "./product.ts";

const LANES = 256; // invocations of a workgroup
const MOST_SUBGROUPS = 8; // of a workgroup that own sums
const NARROW = 32; // invocations of a subgroup up to which it owns half as many sums
const DEPTHS = [32, 16, 8, 4]; // of k in workgroup memory at a time: the first that fits
const BYTES = { f16: 2, f32: 4 };
const SPARE_BYTES = 16; // of a line of a matrix in workgroup memory
const ENOUGH_TILES = 256; // tiles that occupy a GPU: with fewer, the sum is split into slices

/** Forms on units for matrices by name: with 16 x 16 matrices, tiles of 128 x 128 and 64 x 64. */
export const MATRIX_FORMS = ["large matrix tiles", "small matrix tiles"] as const;

const modules = new Map<string, WgslModule>();

/** Elements from a line of a matrix in workgroup memory to the next. */
const lineOf = ({ type, k }: MatrixKind): number => k + SPARE_BYTES / BYTES[type];

/** Declares for the shaders the type, extents and lines of the matrices that units multiply. */
export const describeUnits = (feature: string, kind: MatrixKind): string =>
  [
    `enable ${feature.replaceAll("-", "_")};`,
    `alias matrix_elem = ${kind.type};`,
    `const UNIT_M = ${kind.m}u;`,
    `const UNIT_N = ${kind.n}u;`,
    `const UNIT_K = ${kind.k}u;`,
    `const LINE = ${lineOf(kind)}u;`,
  ].join("\n");

/** The shader for units of a kind: what they are, the loaders of tiled products, and the product itself. */
export function matrixModule(feature: string, kind: MatrixKind): WgslModule {
  const units = describeUnits(feature, kind);
  let module = modules.get(units);
  if (!module) {
    module = {
      get name() {
        return matrices.name;
      },
      get code() {
        return [units, tiled.code, matrices.code].join("\n");
      },
      get entryPoints() {
        const bindings = tiled.entryPoints["forward"]!;
        return Object.fromEntries(Object.keys(matrices.entryPoints).map((entryPoint) => [entryPoint, bindings]));
      },
      get params() {
        return tiled.params;
      },
      get overrides() {
        return [...tiled.overrides, ...matrices.overrides];
      },
    };
    modules.set(units, module);
  }
  return module;
}

/**
 * Tiles of a device's units for tensors of a dtype; null if it has none, or too little memory. f16 is multiplied as f32
 * by units that know nothing else.
 * @param form one of MATRIX_FORMS
 */
export function matrixTiling(device: Device, dtype: FloatDType, form: string): Tiling | null {
  const { matrices: units } = device.adapter;
  const kind = units && (kindOf(units, dtype) ?? (dtype === "f16" ? kindOf(units, "f32") : undefined));
  const size = (MATRIX_FORMS as readonly string[]).indexOf(form);
  if (!kind || size < 0) return null;
  const subgroups = Math.min(MOST_SUBGROUPS, 2 ** Math.floor(Math.log2(LANES / units.lanes)));
  const subgroupRows = Math.ceil(Math.sqrt(subgroups / 2));
  const subgroupColumns = subgroups / subgroupRows;
  const matrixRows = size === 0 ? 4 : 2;
  const matrixColumns = units.lanes > NARROW ? matrixRows : matrixRows / 2;
  const rows = subgroupRows * matrixRows * kind.m;
  const columns = subgroupColumns * matrixColumns * kind.n;
  const fits = (depth: number): boolean => {
    const elements = (((rows + columns) * depth) / kind.k) * lineOf(kind);
    const bytes = elements * BYTES[kind.type] + subgroups * kind.m * kind.n * BYTES.f32;
    return (
      depth % kind.k === 0 &&
      (Math.max(rows, columns) * depth) / 16 <= LANES && // a block of 4 x 4 for each invocation at most
      bytes <= device.gpu.limits.maxComputeWorkgroupStorageSize
    );
  };
  const depth = DEPTHS.find(fits);
  if (depth === undefined) return null;
  return {
    module: matrixModule(units.feature, kind),
    entryPoint: "forward_matrices",
    rows,
    columns,
    depth,
    enough: ENOUGH_TILES,
    constants: {
      SUBGROUP_ROWS: subgroupRows,
      SUBGROUP_COLUMNS: subgroupColumns,
      MATRIX_ROWS: matrixRows,
      MATRIX_COLUMNS: matrixColumns,
      WORKGROUP_SIZE: LANES,
    },
  };
}

const kindOf = ({ kinds }: MatrixUnits, type: FloatDType): MatrixKind | undefined =>
  kinds.find((kind) => kind.type === type);
