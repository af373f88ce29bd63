// Where each kernel's operations and their float64 definitions are: the files that the tests and the fuzzer use.

/** The tests that hold a kernel to its definition. */
export interface Definition {
  /** Files below test/operations, without `.ts`: operations that run the kernel. */
  readonly operations: readonly string[];
  /** The form of products that runs the kernel, where others may be chosen. */
  readonly form?: string;
}

/** By shader. Those that are missing have tests of their own, and no operation. */
export const DEFINITIONS: Readonly<Record<string, Definition>> = {
  activation: { operations: ["activation"] },
  batch_norm: { operations: ["batch_norm"] },
  bucket: { operations: ["shape"] },
  cast: { operations: ["shape"] },
  conv2d: { operations: ["conv2d", "conv_transpose2d"] },
  copy: { operations: ["shape"] },
  depthwise_conv2d: { operations: ["depthwise_conv2d"] },
  dropout: { operations: ["dropout"] },
  elementwise: { operations: ["elementwise"] },
  farthest_point: { operations: ["farthest_points"] },
  feature_block_paste: { operations: ["feature_block_paste"] },
  gather: { operations: ["shape"] },
  gaussian_blur: { operations: ["gaussian_blur"] },
  grid_sample: { operations: ["grid_sample"] },
  hinge_loss: { operations: ["losses"] },
  layer_norm: { operations: ["rows"] },
  matmul: { operations: ["matmul"] },
  mse_loss: { operations: ["losses"] },
  nearest_rows: { operations: ["nearest_rows"] },
  perlin_mask: { operations: ["perlin_mask"] },
  pool: { operations: ["pool"] },
  random_sets: { operations: ["random_sets"] },
  reconstruction_loss: { operations: ["losses"] },
  reduce: { operations: ["reduce"] },
  resize: { operations: ["resize"] },
  row_products: { operations: ["rows"] },
  scan: { operations: ["shape"] },
  softmax: { operations: ["rows"] },
  tiled_product: { operations: ["matmul"], form: "tiled 64x64x16 of 8x4" },
  top_k_mean: { operations: ["statistics"] },
  winograd: { operations: ["winograd"] },
};

/** A shader that is put together from two files, so that a change of one alone shows nothing. */
export const IS_COMBINED: ReadonlySet<string> = new Set(["subgroup_product"]);
