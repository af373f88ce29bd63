import module from "../../shaders/scan.wgsl";
import { countOf, empty, release, type Tensor } from "../tensor/tensor.ts";
import { launch, requireDType } from "./launch.ts";

const LANES = 256; // lanes of a workgroup
const BLOCK = LANES * 32; // elements per workgroup, as in the shader

/** Exclusive prefix sums of a u32 tensor: `[count + 1]`; the last element is the total. */
export function exclusiveScan(input: Tensor): Tensor {
  requireDType("exclusiveScan", "u32", { input });
  const { device } = input;
  const count = countOf(input.shape);
  const blocks = Math.max(1, Math.ceil(count / BLOCK));
  const output = empty(device, [count + 1], "u32");
  const settings = { module, element: "u32", params: { count }, size: { workgroups: blocks } } as const;
  if (blocks === 1) {
    launch({
      ...settings,
      entryPoint: "forward",
      constants: { WORKGROUP_SIZE: LANES, OFFSETS: false },
      tensors: { input, offsets: input, output },
    });
    return output;
  }
  const totals = empty(device, [blocks], "u32");
  launch({ ...settings, entryPoint: "block_totals", constants: { WORKGROUP_SIZE: LANES }, tensors: { input, totals } });
  const offsets = exclusiveScan(totals);
  launch({
    ...settings,
    entryPoint: "forward",
    constants: { WORKGROUP_SIZE: LANES, OFFSETS: true },
    tensors: { input, offsets, output },
  });
  release(totals);
  release(offsets);
  return output;
}
