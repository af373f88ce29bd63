import module from "../../shaders/subgroup_product.wgsl";
import type { MatrixKind } from "../../src/runtime/matrices.ts";
import type { WgslModule } from "../../src/runtime/wgsl.ts";
import { withoutMatrices } from "../../tools/build/without_matrices.mjs";
import { device } from "./device.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const SUBGROUP = "  @builtin(subgroup_id) subgroup: u32,\n) {\n";

/** Lanes of a subgroup: adjacent invocations, in this emulation. */
export type Lanes = 32 | 64 | 128;

/** A feature that WGSL can always enable, in place of that of subgroup matrices. */
const PLAIN = "f16";

/** Kinds of matrices of NVIDIA's and AMD's units, of Intel's, of Apple's. */
export const KINDS: Readonly<Record<string, MatrixKind>> = {
  "16x16x16 of f16": { m: 16, n: 16, k: 16, type: "f16" },
  "8x16x16 of f16": { m: 8, n: 16, k: 16, type: "f16" },
  "8x8x8 of f16": { m: 8, n: 8, k: 8, type: "f16" },
  "8x8x8 of f32": { m: 8, n: 8, k: 8, type: "f32" },
};

/**
 * A lane holds every `lanes`-th element of a matrix of sums. The ends of loops depend on a param, so that no compiler
 * unrolls them: that takes minutes on lavapipe.
 */
const matricesOf = (lanes: Lanes): string => `
var<private> lane_of_subgroup: u32;
const ELEMENTS = UNIT_M * UNIT_N;
const HELD = (ELEMENTS + ${lanes - 1}u) / ${lanes}u;
alias Left = u32;  // which one it is
alias Right = u32;
alias Sums = array<f32, HELD>;
fn load_left(matrix: u32) -> Left { return matrix; }
fn load_right(matrix: u32) -> Right { return matrix; }
fn multiply_add(left: Left, right: Right, sums: Sums) -> Sums {
  var more = sums;
  for (var k = 0u; k < max(UNIT_K, params.slices >> 16u); k++) {
    for (var i = 0u; i < HELD; i++) {
      let element = i * ${lanes}u + lane_of_subgroup;
      if (element >= ELEMENTS) { continue; }
      more[i] += f32(a_matrices[left][element / UNIT_N * LINE + k]) * f32(b_matrices[right][element % UNIT_N * LINE + k]);
    }
  }
  return more;
}
fn store_sums(at: u32, sums: Sums) {
  for (var i = 0u; i < HELD; i++) {
    let element = i * ${lanes}u + lane_of_subgroup;
    if (element < ELEMENTS) { result[at + element] = sums[i]; }
  }
}
`;

/** The shader with plain arithmetic in place of the lines that name subgroups and their matrices. */
export function emulated(code: string, lanes: Lanes): string {
  const [before, after, ...more] = withoutMatrices(code).split(SUBGROUP);
  if (after === undefined || more.length > 0)
    throw new Error("subgroup_product: expected its subgroup_id once, as the last argument");
  return `${before}) {\n  lane_of_subgroup = lane % ${lanes}u;\n  let subgroup = lane / ${lanes}u;\n${after}${matricesOf(lanes)}`;
}

/** Units for matrices, emulated. */
export interface EmulatedUnits {
  /** Default: 16x16x16 of f16. */
  readonly kinds?: readonly MatrixKind[];
  /** Actual and largest size of subgroups. Default: 64 and 64. */
  readonly lanes?: readonly [actual: Lanes, most: number];
  /** Introduces an error. */
  readonly change?: (code: string) => string;
}

/** Runs `work` on a device that appears to have units for matrices. */
export async function withEmulatedMatrices<T>(units: EmulatedUnits, work: () => Promise<T>): Promise<T> {
  const { kinds = [KINDS["16x16x16 of f16"]!], lanes: [lanes, most] = [64, 64], change = (code) => code } = units;
  const { code, name } = module;
  const { adapter } = device;
  const [shader, on]: [Mutable<WgslModule>, Mutable<Pick<typeof device, "adapter">>] = [module, device];
  const right = emulated(code, lanes);
  shader.code = change(right);
  shader.name = `${name}, ${lanes} of ${most} lanes${shader.code === right ? "" : `, wrong ${wrong++}`}`; // the key of cached kernels
  on.adapter = { ...adapter, matrices: { feature: PLAIN, lanes: most, kinds } };
  try {
    return await work();
  } finally {
    Object.assign(shader, { code, name });
    on.adapter = adapter;
  }
}

let wrong = 0;
