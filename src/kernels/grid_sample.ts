import module from "../../shaders/grid_sample.wgsl";
import type { Device } from "../runtime/device.ts";
import { shapeError } from "../runtime/errors.ts";
import { elementOf, empty, packOf, sameShape, zeros, type DType, type Shape, type Tensor } from "../tensor/tensor.ts";
import { floatDType, launch, requireDType, requireOneDevice } from "./launch.ts";
import { choiceOf } from "../runtime/options.ts";
import { exclusiveScan } from "./scan.ts";

const BLOCK = 64; // samples ranked by one workgroup, as in the shader
const NARROW_PACKS = 32; // up to this, at least half of a workgroup's lanes would be idle: one lane takes all channels

const PADDING_MODES = ["zeros", "border", "reflection"] as const;
const MODES = ["bilinear", "nearest"] as const;

/** Interpolation between pixels and reads outside the image. */
export interface GridSampleOptions {
  /** "bilinear" weights four pixels; "nearest" takes the closest one, halves to the even index. Default "bilinear". */
  readonly mode?: (typeof MODES)[number];
  /**
   * Reads outside the image: "zeros", "border" (the border pixel) or "reflection" (the mirrored image). Default
   * "zeros".
   */
  readonly paddingMode?: (typeof PADDING_MODES)[number];
  /**
   * True: grid coordinates -1 and 1 are the centres of the corner pixels. False: the outer edges of those pixels.
   * Default false, as in PyTorch.
   */
  readonly alignCorners?: boolean;
}

/** `[N,H,W,C]`, `[N,P,Q,2]` -> `[N,P,Q,C]`. */
export function gridSampleForward(input: Tensor, grid: Tensor, options: GridSampleOptions): Tensor {
  const params = paramsOf(input, grid);
  const channels = input.shape[3]!;
  const output = empty(input.device, [params.batch, params.out_height, params.out_width, channels], input.dtype);
  run(
    "forward",
    params,
    { input, grid, output },
    channels,
    { invocations: samplesOf(params) * params.packs },
    options,
    input.dtype,
  );
  return output;
}

/**
 * d loss / d input, `[N,H,W,C]`. Deterministic: samples are grouped by cell, and each pixel sums the samples of its
 * four cells.
 */
export function gridSampleBackwardInput(
  inputShape: Shape,
  grid: Tensor,
  gradOutput: Tensor,
  options: GridSampleOptions,
): Tensor {
  const { device } = grid;
  const params = paramsOf({ shape: inputShape, dtype: gradOutput.dtype }, grid, gradOutput);
  const channels = inputShape[3]!;
  const samples = samplesOf(params);
  const blocks = Math.ceil((params.out_height * params.out_width) / BLOCK);
  const cells = params.batch * (params.height + 1) * (params.width + 1);

  const ranks = empty(device, [samples], "u32");
  const counts = zeros(device, [cells * blocks], "u32");
  run("rank", params, { grid, ranks, counts }, 1, { workgroups: params.batch * blocks }, options);
  const starts = exclusiveScan(counts);
  const list = empty(device, [samples], "u32");
  run("place", params, { grid, starts, ranks_read: ranks, list }, 1, { invocations: samples }, options);
  const gradInput = empty(device, inputShape, gradOutput.dtype);
  const gathered = { grid, starts, list_read: list, grad_output: gradOutput, grad_input: gradInput };
  const invocations = params.batch * params.height * params.width * params.packs;
  run("gather", params, gathered, channels, { invocations }, options, gradOutput.dtype);
  for (const { allocation } of [ranks, counts, starts, list]) device.release(allocation);
  return gradInput;
}

/** d loss / d grid, `[N,P,Q,2]` f32; zero in mode "nearest". Deterministic. */
export function gridSampleBackwardGrid(
  input: Tensor,
  grid: Tensor,
  gradOutput: Tensor,
  options: GridSampleOptions,
): Tensor {
  const params = paramsOf(input, grid, gradOutput);
  if (options.mode === "nearest") return zeros(grid.device, grid.shape);
  const gradGrid = empty(grid.device, grid.shape);
  const tensors = { input, grid, grad_output: gradOutput, grad_grid: gradGrid };
  const channels = input.shape[3]!;
  const samples = samplesOf(params);
  if (params.packs > NARROW_PACKS)
    run("backward_grid", params, tensors, channels, { workgroups: samples }, options, input.dtype);
  else run("backward_grid_narrow", params, tensors, channels, { invocations: samples }, options, input.dtype);
  return gradGrid;
}

interface Params extends Record<string, number> {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly packs: number;
  readonly out_height: number;
  readonly out_width: number;
}

const samplesOf = (p: Params): number => p.batch * p.out_height * p.out_width;

/**
 * Checks the shapes against each other. An out-of-bounds access in WGSL does not fault but touches some other element,
 * so nothing else would catch a mismatch.
 */
function paramsOf(input: { shape: Shape; dtype: DType; device?: Device }, grid: Tensor, gradOutput?: Tensor): Params {
  const [batch = 0, height = 0, width = 0, channels = 0] = input.shape;
  const [gridBatch, out_height = 0, out_width = 0, two] = grid.shape;
  const fail = (problem: string): never =>
    shapeError("gridSample", problem, gradOutput ? { input, grid, gradOutput } : { input, grid });
  if (input.shape.length !== 4 || grid.shape.length !== 4) fail("expected input [N,H,W,C] and grid [N,P,Q,2]");
  if (two !== 2) fail("expected the last dimension of grid to be 2");
  if (batch !== gridBatch) fail("expected input and grid to have the same batch size");
  if (height === 0 || width === 0) fail("expected a non-empty image");
  floatDType("gridSample", gradOutput ? { input, gradOutput } : { input });
  requireDType("gridSample", "f32", { grid });
  requireOneDevice("gridSample", { input, grid, ...(gradOutput && { gradOutput }) });
  if (gradOutput && !sameShape(gradOutput.shape, [batch, out_height, out_width, channels]))
    fail("expected gradOutput [N,P,Q,C]");
  return { batch, height, width, packs: channels / packOf(channels), out_height, out_width };
}

function run(
  entryPoint: string,
  params: Params,
  tensors: Record<string, Tensor>,
  channels: number,
  size: { invocations: number } | { workgroups: number },
  { mode = "bilinear", paddingMode = "zeros", alignCorners = false }: GridSampleOptions,
  dtype: DType = "f32",
): void {
  const constants = {
    ALIGN_CORNERS: alignCorners,
    NEAREST: choiceOf("gridSample", "mode", MODES, mode) === 1,
    PADDING: choiceOf("gridSample", "paddingMode", PADDING_MODES, paddingMode),
  };
  const cutting = ["forward", "backward_grid", "backward_grid_narrow"].includes(entryPoint);
  const parts = cutting
    ? { parts: { param: "batch", tensors: ["input", "grid", "output", "grad_output", "grad_grid"] } }
    : {};
  launch({ module, entryPoint, element: elementOf(dtype, channels), constants, tensors, params, size, ...parts });
}
