import module from "../../shaders/subgroup_product.wgsl";
import type { WgslModule } from "../../src/runtime/wgsl.ts";
import { withoutMatrices } from "../../tools/build/without_matrices.mjs";
import { device } from "./device.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const SUBGROUP = "  @builtin(subgroup_id) subgroup: u32,\n) {\n";

/** Lanes of a subgroup: adjacent invocations, in this emulation. */
export type Lanes = 64 | 128;

/**
 * A lane holds every `lanes`-th element of a 16 x 16 matrix. The sum's length depends on a param, so that no compiler
 * unrolls it: that takes minutes on lavapipe.
 */
const matricesOf = (lanes: Lanes): string => `
var<private> lane_of_subgroup: u32;
alias Left = u32;  // where it lies
alias Right = u32;
alias Sums = vec${256 / lanes}f;
fn load_left(at: u32) -> Left { return at; }
fn load_right(at: u32) -> Right { return at; }
fn multiply_add(left: Left, right: Right, sums: Sums) -> Sums {
  var more = sums;
  for (var k = 0u; k < max(16u, params.slices >> 16u); k++) {
    for (var i = 0u; i < ${256 / lanes}u; i++) {
      let element = i * ${lanes}u + lane_of_subgroup;
      more[i] += f32(a_tile[left + element / 16u * A_STRIDE + k]) * f32(b_tile[right + k * B_STRIDE + element % 16u]);
    }
  }
  return more;
}
fn store_sums(at: u32, sums: Sums) {
  for (var i = 0u; i < ${256 / lanes}u; i++) {
    let element = i * ${lanes}u + lane_of_subgroup;
    result[at + element / 16u * SIDE + element % 16u] = sums[i];
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

/**
 * Runs `work` on a device that appears to have subgroup matrices.
 * @param lanes actual and largest size of its subgroups
 * @param change introduces an error
 */
export async function withEmulatedMatrices<T>(
  [lanes, most]: readonly [lanes: Lanes, most: number],
  work: () => Promise<T>,
  change: (code: string) => string = (code) => code,
): Promise<T> {
  const { code, name } = module;
  const { adapter } = device;
  const [shader, on]: [Mutable<WgslModule>, Mutable<Pick<typeof device, "adapter">>] = [module, device];
  const right = emulated(code, lanes);
  shader.code = change(right);
  shader.name = `${name}, ${lanes} of ${most} lanes${shader.code === right ? "" : `, wrong ${wrong++}`}`; // the key of cached kernels
  on.adapter = { ...adapter, matrixLanes: most };
  try {
    return await work();
  } finally {
    Object.assign(shader, { code, name });
    on.adapter = adapter;
  }
}

let wrong = 0;
