import module from "../../shaders/gather.wgsl";
import { shapeError } from "../runtime/errors.ts";
import { bytesOf, elementOf, empty, packOf, release, zeros, type Tensor } from "../tensor/tensor.ts";
import { axisOf } from "./axis.ts";
import { bucketOf } from "./bucket.ts";
import { floatDType, launch, requireDType, requireOneDevice, requireShape } from "./launch.ts";

/** Entries of an axis by u32 index `[K]`; zeros for an index out of range. */
export function gatherForward(input: Tensor, indices: Tensor, axis: number): Tensor {
  const { params, channels, picked } = extentsOf(input, indices, axis);
  const output = empty(input.device, picked, input.dtype);
  launch({
    module,
    entryPoint: "forward",
    element: elementOf(input.dtype === "f32" ? "u32" : input.dtype, channels),
    tensors: { input, indices, output },
    params: { ...params, blocks: 0 },
    size: { invocations: params.groups * params.picked * params.packs },
    work: { bytes: 2 * bytesOf(output) + bytesOf(indices) },
  });
  return output;
}

/** d loss / d input. */
export function gatherBackwardInput(input: Tensor, indices: Tensor, gradOutput: Tensor, axis: number): Tensor {
  const { params, channels, picked } = extentsOf(input, indices, axis);
  const dtype = floatDType("gather", { input, gradOutput });
  requireShape("gather", "gradOutput", picked, { input, indices, gradOutput });
  if (params.picked === 0) return zeros(input.device, input.shape, dtype);
  const { starts, list, blocks } = bucketOf("gather", indices, params.extent);
  const gradInput = empty(input.device, input.shape, dtype);
  launch({
    module,
    entryPoint: "backward_input",
    element: elementOf(dtype, channels),
    tensors: { grad_output: gradOutput, starts, list, grad_input: gradInput },
    params: { ...params, blocks },
    size: { invocations: params.groups * params.extent * params.packs },
  });
  release(starts);
  release(list);
  return gradInput;
}

function extentsOf(input: Tensor, indices: Tensor, axis: number) {
  requireDType("gather", "u32", { indices });
  if (indices.shape.length !== 1) shapeError("gather", "expected indices [K]", { input, indices });
  requireOneDevice("gather", { input, indices });
  const [count] = indices.shape as [number];
  const { outer: groups, extent, inner: channels } = axisOf(input.shape, axis);
  return {
    params: { groups, extent, picked: count, packs: channels / packOf(channels) },
    channels,
    picked: input.shape.with(axis, count),
  };
}
