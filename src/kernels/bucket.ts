import module from "../../shaders/bucket.wgsl";
import { TooLargeError } from "../runtime/errors.ts";
import { countOf, empty, release, zeros, type Tensor } from "../tensor/tensor.ts";
import { launch, requireDType } from "./launch.ts";
import { exclusiveScan } from "./scan.ts";

const BLOCK = 64; // keys ranked by one workgroup, as in the shader

/** Indices of keys, grouped by key value. */
export interface Buckets {
  /** `[N]`, u32 */
  readonly list: Tensor;
  /** `[buckets * blocks + 1]`, u32: bucket k's indices are list[starts[k * blocks] .. starts[(k + 1) * blocks]] */
  readonly starts: Tensor;
  readonly blocks: number;
}

/**
 * Groups the indices of u32 keys `[N]` below `buckets` by key, each group in ascending order. The caller releases both
 * tensors.
 * @throws ShapeError for another dtype, or for more counts than the device can bind
 */
export function bucketOf(op: string, keys: Tensor, buckets: number): Buckets {
  requireDType(op, "u32", { keys });
  const { device } = keys;
  const count = countOf(keys.shape);
  const blocks = Math.ceil(count / BLOCK);
  const bytes = 4 * (buckets * blocks + 1); // size of starts
  if (bytes > device.maxBindingBytes) {
    const seen = `more than the ${device.maxBindingBytes} that a dispatch can see on this device`;
    throw new TooLargeError(
      `${op}: listing ${count} keys in ${buckets} buckets takes ${bytes} bytes, ${seen}; use fewer of either at a time`,
    );
  }
  const params = { count, buckets };
  const ranks = empty(device, [count], "u32");
  const counts = zeros(device, [buckets * blocks], "u32");
  launch({
    module,
    entryPoint: "rank",
    element: "u32",
    tensors: { keys, ranks, counts },
    params,
    size: { workgroups: blocks },
  });
  const starts = exclusiveScan(counts);
  const list = empty(device, [count], "u32");
  const placed = { keys, starts, ranks_read: ranks, list };
  launch({ module, entryPoint: "place", element: "u32", tensors: placed, params, size: { invocations: count } });
  release(ranks);
  release(counts);
  return { list, starts, blocks };
}
