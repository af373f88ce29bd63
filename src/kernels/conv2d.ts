import module from "../../shaders/conv2d.wgsl";
import tiled from "../../shaders/tiled_product.wgsl";
import { OptionError, shapeError } from "../runtime/errors.ts";
import {
  countOf,
  elementOf,
  empty,
  packOf,
  release,
  type FloatDType,
  type Shape,
  type Tensor,
} from "../tensor/tensor.ts";
import { activationConstants } from "./activation.ts";
import { settleAs } from "./cast.ts";
import { geometryOf, type ConvolutionOptions, type Epilogue, type Geometry } from "./convolution.ts";
import { agrees } from "./products/agreement.ts";
import { formFor, TILES, tilingOf } from "./products/forms.ts";
import { floatDType, launch, requireShape, type Launch } from "./launch.ts";
import { uniformSize } from "./products/product.ts";
import { reduceMiddle } from "./reduce.ts";
import { LOAD_A, LOAD_B, tiledProduct, type TiledProduct } from "./products/tiled.ts";
import { WINOGRAD, winograd, winogradFor } from "./winograd.ts";

const SLICE_ROWS = 8; // output rows that one invocation of the weight gradient walks

const UNIFORM_COLUMNS = 8; // columns of a workgroup in the forms for software adapters, as in the shader

const UNTILED = ["uniform", "direct"]; // the form for software adapters, then that for GPUs

/** Geometry of a dense convolution. */
export interface Conv2dOptions extends ConvolutionOptions {
  /** Number of channel groups; each output channel sees only its own group. Default 1. */
  readonly groups?: number;
}

/**
 * Forms of a convolution and its gradients: "uniform" (lanes share loads, for software adapters), "direct" (one
 * invocation per result) and tiles in workgroup memory. Some 3x3 convolutions have WINOGRAD too.
 */
export const CONV2D_FORMS = [...UNTILED, ...Object.keys(TILES)];

/**
 * `[N,H,W,C]`, `[R,S,C/g,K]` -> `[N,P,Q,K]`.
 * @param form one of CONV2D_FORMS or MATRIX_FORMS, or WINOGRAD, chosen as in matmul.ts; always `direct` if groups > 1
 * @throws UnsupportedError for WINOGRAD if the convolution is none of stride 1 with 3x3 filters in f32
 */
export function conv2dForward(
  input: Tensor,
  weight: Tensor,
  epilogue: Epilogue,
  options: Conv2dOptions,
  form?: string,
): Tensor {
  const { bias = null, activation = null } = epilogue;
  const { params, element, geometry, work } = paramsOf(input, weight.shape, options, {
    input,
    weight,
    ...(bias && { bias }),
  });
  const { batch, height, width, channels, out_height, out_width } = params;
  const [r, s, , n] = weight.shape as [number, number, number, number];
  const shape = [batch, out_height, out_width, n];
  const product = {
    a: input,
    b: weight,
    epilogue,
    shape,
    batch: 1,
    m: batch * out_height * out_width,
    n,
    k: r * s * channels,
    positions: out_height * out_width,
    loadA: LOAD_A.windows,
    loadB: LOAD_B.matrix,
    windows: { ...geometry, height, width, channels, place_height: out_height, place_width: out_width, filter_w: s },
  };
  form = formOf("conv2d.forward", product, params.filter_groups, form, {
    run: (form) => conv2dForward(like(input), like(weight), { bias: bias && like(bias), activation }, options, form),
    check: ([x, w], form) => conv2dForward(x, w, { activation: activation && "leakyRelu" }, CHECKED, form),
  });
  if (form === WINOGRAD) return winograd(product);
  const tiling = tilingOf(form, UNTILED, input);
  if (tiling) return tiledProduct({ op: "conv2d", ...product, pack: packFor(channels, n) }, tiling);
  const output = empty(input.device, shape, input.dtype);
  launchForm("forward", form === "uniform" ? { rows: product.m, columns: n } : null, {
    element,
    constants: { BIAS: bias !== null, ...activationConstants("conv2d", activation) },
    tensors: { input, weight, bias: bias ?? weight, output },
    params,
    size: { invocations: params.batch * params.out_height * params.out_width * params.packs },
    parts: { param: "batch", tensors: ["input", "output"] },
    work,
  });
  return output;
}

/** d loss / d input, `[N,H,W,C]`, in the same forms. Of the input only the extents count. */
export function conv2dBackwardInput(
  input: Pick<Tensor, "device" | "shape" | "dtype">,
  weight: Tensor,
  gradOutput: Tensor,
  options: Conv2dOptions,
  form?: string,
): Tensor {
  const { params, element, geometry, work } = paramsOf(input, weight.shape, options, { input, weight, gradOutput });
  const { batch, height, width, channels, out_height, out_width } = params;
  const [r, s, , k] = weight.shape as [number, number, number, number];
  const product = {
    a: gradOutput,
    b: weight,
    epilogue: {},
    shape: input.shape,
    batch: 1,
    m: batch * height * width,
    n: channels,
    k: r * s * k,
    positions: height * width,
    loadA: LOAD_A.readers,
    loadB: LOAD_B.weight,
    windows: {
      ...geometry,
      height: out_height,
      width: out_width,
      channels: k,
      place_height: height,
      place_width: width,
      filter_w: s,
    },
  };
  form = formOf("conv2d.backward_input", product, params.filter_groups, form, {
    run: (form) => conv2dBackwardInput(like(input), like(weight), like(gradOutput), options, form),
    check: ([x, w, g], form) => conv2dBackwardInput(x, w, g, CHECKED, form),
  });
  if (form === WINOGRAD) return winograd(product);
  const tiling = tilingOf(form, UNTILED, input);
  if (tiling) return tiledProduct({ op: "conv2d", ...product, pack: packFor(channels, k) }, tiling);
  const gradInput = empty(input.device, input.shape, input.dtype);
  const tensors = { weight, grad_output: gradOutput, grad_input: gradInput };
  const invocations = params.batch * params.height * params.width * params.channels;
  launchForm("backward_input", form === "uniform" ? { rows: product.m, columns: channels } : null, {
    element,
    tensors,
    params,
    size: { invocations },
    parts: { param: "batch", tensors: ["grad_output", "grad_input"] },
    work,
  });
  return gradInput;
}

/** d loss / d weight, `[R,S,C/g,K]`, in CONV2D_FORMS or MATRIX_FORMS. */
export function conv2dBackwardWeight(
  input: Tensor,
  weight: Tensor,
  gradOutput: Tensor,
  options: Conv2dOptions,
  form?: string,
): Tensor {
  const { params, element, geometry, work } = paramsOf(input, weight.shape, options, { input, weight, gradOutput });
  const { batch, height, width, channels, out_height, out_width } = params;
  const [r, s, c, n] = weight.shape as [number, number, number, number];
  const product = {
    a: input,
    b: gradOutput,
    epilogue: {},
    shape: weight.shape,
    batch: 1,
    m: r * s * c,
    n,
    k: batch * out_height * out_width,
    loadA: LOAD_A.windowsTransposed,
    loadB: LOAD_B.matrix,
    windows: { ...geometry, height, width, channels, place_height: out_height, place_width: out_width, filter_w: s },
  };
  form = formOf("conv2d.backward_weight", product, params.filter_groups, form, {
    run: (form) => conv2dBackwardWeight(like(input), like(weight), like(gradOutput), options, form),
    check: ([x, w, g], form) => conv2dBackwardWeight(x, w, g, CHECKED, form),
  });
  const tiling = tilingOf(form, UNTILED, input);
  if (tiling) return tiledProduct({ op: "conv2d", ...product, pack: packFor(channels, n) }, tiling);
  const partial = empty(input.device, [params.slices, r, s, c, n]);
  const tensors = { input, grad_output: gradOutput, grad_weight: partial };
  const invocations = params.slices * r * s * c * params.packs;
  const uniform = form === "uniform" ? { rows: product.m, columns: n, products: params.slices } : null;
  launchForm("backward_weight", uniform, { element, tensors, params, size: { invocations }, work });
  const sum = reduceMiddle(partial, { groups: 1, extent: params.slices, channels: r * s * c * n }, weight.shape, "sum");
  release(partial);
  return settleAs(sum, weight.dtype);
}

const like = ({ device, shape, dtype }: Pick<Tensor, "device" | "shape" | "dtype">): Tensor =>
  empty(device, shape, dtype);

const packFor = (...channels: readonly number[]): 1 | 4 => Math.min(...channels.map(packOf)) as 1 | 4;

const CHECKED = { padding: [0, 0, 0, 1] } as const; // of windows of 1 x 2 on 7 x 6 pixels, which leaves tiles partly empty

/** Ways to try a form. */
interface Trials {
  /** Runs a form on tensors like the actual ones. */
  readonly run: (form: string) => void;
  /** Runs a form with the options CHECKED on an image, a weight, and an image like the output. */
  readonly check: (operands: readonly [Tensor, Tensor, Tensor], form: string) => Tensor;
}

/** The form to run. */
function formOf(
  op: string,
  product: Omit<TiledProduct, "op" | "pack">,
  groups: number,
  form: string | undefined,
  { run, check }: Trials,
): string {
  if (groups > 1) return "direct"; // each group is a product of its own, too narrow for tiles
  if (form !== undefined) return form;
  const { a, epilogue, windows } = product;
  const { channels, filter_w, stride_h, stride_w } = windows!;
  const pack = packFor(channels, product.n);
  const details = [a.dtype, pack, (epilogue.activation ?? null) !== null, filter_w, stride_h, stride_w];
  const c = pack === 4 ? 76 : 75;
  const shapes = [
    [2, 7, 6, c],
    [1, 2, c, c],
    [2, 7, 6, c],
  ];
  const further = product.loadA === LOAD_A.windowsTransposed ? null : winogradFor(product);
  return formFor({
    operand: a,
    op,
    shaders: [module, tiled, ...(further ? [further.module] : [])],
    extents: product,
    details: [...details, ...(further ? [further.name] : [])],
    untiled: UNTILED,
    further,
    trial: run,
    agreesWith: (form, fixed) =>
      agrees(a.device, a.dtype as FloatDType, [shapes], (operands, trusted) =>
        check(operands as [Tensor, Tensor, Tensor], trusted ? fixed : form),
      ),
  });
}

/**
 * Launches the direct form, or the one for software adapters, which also needs the extents of the equivalent product.
 */
function launchForm(
  entryPoint: string,
  uniform: { readonly rows: number; readonly columns: number; readonly products?: number } | null,
  direct: Omit<Launch, "module" | "entryPoint">,
): void {
  if (!uniform) return launch({ module, entryPoint, ...direct });
  const { rows, columns, products } = uniform;
  const sizeOf = uniformSize(columns, UNIFORM_COLUMNS, products);
  const { parts, params = {} } = direct;
  const each = parts && rows / params[parts.param]!;
  launch({
    module,
    ...direct,
    entryPoint: `${entryPoint}_uniform`,
    size: sizeOf(rows),
    ...(parts && { parts: { ...parts, size: (taken) => sizeOf(taken * each!) } }),
  });
}

function paramsOf(
  input: Pick<Tensor, "shape">,
  weight: Shape,
  options: Conv2dOptions,
  tensors: Parameters<typeof floatDType>[1],
) {
  const dtype = floatDType("conv2d", tensors);
  if (input.shape.length !== 4 || weight.length !== 4)
    shapeError("conv2d", "expected input [N,H,W,C] and weight [R,S,C/groups,K]", tensors);
  const [batch, height, width, channels] = input.shape as [number, number, number, number];
  const [filter_h, filter_w, groupChannels, filterCount] = weight as [number, number, number, number];
  const filter_groups = options.groups ?? 1;
  if (
    !Number.isInteger(filter_groups) ||
    filter_groups < 1 ||
    channels % filter_groups !== 0 ||
    filterCount % filter_groups !== 0
  ) {
    throw new OptionError(
      `conv2d: expected groups to divide ${channels} channels and ${filterCount} filters, got ${filter_groups}`,
    );
  }
  if (groupChannels !== channels / filter_groups)
    shapeError("conv2d", `expected weight [R,S,${channels / filter_groups},K]`, tensors);
  const geometry = geometryOf("conv2d", [height, width], [filter_h, filter_w], options);
  if (tensors["bias"]) requireShape("conv2d", "bias", [filterCount], tensors);
  if (tensors["gradOutput"])
    requireShape("conv2d", "gradOutput", [batch, geometry.out_height, geometry.out_width, filterCount], tensors);
  const perGroup = filterCount / filter_groups; // a pack never straddles two groups
  const packs = filterCount / packOf(perGroup);
  const slices = Math.max(1, Math.ceil((batch * geometry.out_height) / SLICE_ROWS));
  const params = {
    batch,
    height,
    width,
    channels,
    packs,
    filter_h,
    filter_w,
    filter_groups,
    ...geometry,
    rows: SLICE_ROWS,
    slices,
  };
  const work = { operations: 2 * batch * geometry.out_height * geometry.out_width * countOf(weight) };
  return { params, geometry: windowsOf(geometry), element: elementOf(dtype, perGroup), work };
}

/** Window parameters without the extents. */
const windowsOf = ({ stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w }: Geometry) => ({
  stride_h,
  stride_w,
  pad_top,
  pad_left,
  dilation_h,
  dilation_w,
});
