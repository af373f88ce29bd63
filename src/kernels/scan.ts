import module from "../../shaders/scan.wgsl";
import { countOf, empty, type Tensor } from "../tensor/tensor.ts";
import { launch, requireDType } from "./launch.ts";

/** Exclusive prefix sums of a u32 tensor: `[count + 1]`, the last element being the total. */
export function exclusiveScan(input: Tensor): Tensor {
  requireDType("exclusiveScan", "u32", { input });
  const count = countOf(input.shape);
  const output = empty(input.device, [count + 1], "u32");
  launch({ module, entryPoint: "forward", element: "f32", constants: { WORKGROUP_SIZE: 256 }, tensors: { input, output }, params: { count }, size: { workgroups: 1 } });
  return output;
}
