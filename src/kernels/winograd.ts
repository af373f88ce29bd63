import module from "../../shaders/winograd.wgsl";
import { UnsupportedError } from "../runtime/errors.ts";
import { bytesOf, elementOf, empty, release, type Tensor } from "../tensor/tensor.ts";
import { activationConstants } from "./activation.ts";
import { launch } from "./launch.ts";
import { matmulForward } from "./products/matmul.ts";
import { LOAD_A, type TiledProduct } from "./products/tiled.ts";

/** Name of the form. */
export const WINOGRAD = "winograd";

const TERMS = 16; // of a tile of 2 x 2 outputs: the products that stand for its 36
// operations saved for each byte moved
const PREFERRED = 96; // the highest that cards' arithmetic can do meanwhile: Radeon 890M 99, GeForce RTX 4090 82, H200 14
const TRIED = 8; // on llvmpipe
const MOST_BYTES = 64 * 2 ** 20; // of a batch's terms at a time, about a large GPU's last cache

/** A dense convolution, or its image's gradient, as a product of windows. */
type Convolution = Omit<TiledProduct, "op" | "pack" | "loadB">;

/** Extents of the convolution in tiles. */
function tilesOf({ windows, m, n }: Convolution) {
  const { place_height, place_width, channels } = windows!;
  const [tile_rows, tile_columns] = [Math.ceil(place_height / 2), Math.ceil(place_width / 2)];
  const images = m / (place_height * place_width);
  const tiles = tile_rows * tile_columns; // of an image
  return { tile_rows, tile_columns, images, tiles, imageBytes: 4 * TERMS * tiles * Math.max(channels, n) };
}

/** True for f32, 3x3 windows of stride and dilation 1, and tensors of which a dispatch can see as much as it must. */
function winogradFits(convolution: Convolution): boolean {
  const { a, windows, n, k, m } = convolution;
  const { channels, filter_w, stride_h, stride_w, dilation_h, dilation_w } = windows!;
  const { maxBindingBytes } = a.device;
  return (
    a.dtype === "f32" &&
    filter_w === 3 &&
    k === 9 * channels &&
    [stride_h, stride_w, dilation_h, dilation_w].every((one) => one === 1) &&
    m * n * channels > 0 &&
    Math.max(bytesOf(a), 4 * m * n, 4 * TERMS * channels * n, tilesOf(convolution).imageBytes) <= maxBindingBytes
  );
}

/**
 * The form for a convolution that it suits, otherwise null. It saves 18 - 8 operations for each output, channel and filter
 * if both extents are even, and moves the terms through memory: for each pixel 5 numbers of a channel and 5 of a filter,
 * for each pair of these 25. GPUs prefer it from 96 operations saved for each byte on, so that it pays even where every
 * kernel runs at its roof: from 384 channels and filters on in large batches, 432 in one of 12 images of 28 x 28, 544 in one
 * of 5. Software adapters never take it unmeasured.
 */
export function winogradFor(convolution: Convolution) {
  if (!winogradFits(convolution)) return null;
  const { a, windows, m, n } = convolution;
  const { images, tiles } = tilesOf(convolution);
  const { channels } = windows!;
  const saved = 2 * channels * n * (9 * m - TERMS * images * tiles);
  const moved = bytesOf(a) + 4 * (m * n + TERMS * images * tiles * (channels + n) + (9 + TERMS) * channels * n);
  return saved < TRIED * moved ? null : { name: WINOGRAD, module, preferred: saved >= PREFERRED * moved };
}

/**
 * A 3x3 convolution of stride 1, or the gradient of its image, by Winograd's F(2x2, 3x3): 16 products `[T,C] [C,K]` of
 * `matmul`, in whichever form that takes, for T tiles of 2 x 2 outputs. f32 alone.
 *
 * Memory besides the result: four times the input and four times the output of as many images as have 64 MiB of each, or of
 * one image, and 16/9 of the weight. Infinities may become NaN in all outputs of a tile.
 *
 * Errors are at most (C + 11) 2^-24 of the same algorithm on absolute values, with C the channels that are summed: where all
 * terms are of one size, of 64/9 of the sum of the convolution's absolute products; it is (9 C + 1) 2^-24 of that sum without
 * this form.
 * @param convolution loadA tells the gradient of the image: `readers`
 * @throws UnsupportedError for another convolution, or one of more bytes than a dispatch can see
 */
export function winograd(convolution: Convolution): Tensor {
  if (!winogradFits(convolution)) {
    throw new UnsupportedError(
      `conv2d: the form ${WINOGRAD} expects f32, 3x3 windows of stride and dilation 1, and at most ` +
        `${convolution.a.device.maxBindingBytes} bytes a tensor on this device; use another form`,
    );
  }
  const { a, b, n, shape, epilogue, loadA, windows } = convolution;
  const { device } = a;
  const { height, width, channels, place_height, place_width } = windows!;
  const { images, imageBytes, tiles, ...extents } = tilesOf(convolution);
  const turned = loadA === LOAD_A.readers;
  const most = Math.floor(Math.min(MOST_BYTES, device.maxBindingBytes) / imageBytes);
  const groups = Math.ceil(images / Math.max(1, most));
  const taken = Math.ceil(images / groups); // nearly the same number for each
  const [pad_top, pad_left] = [windows!.pad_top, windows!.pad_left].map((pad) => (turned ? 2 - pad : pad) >>> 0);
  const params = { ...extents, channels, pad_top: pad_top!, pad_left: pad_left! };

  const weightTerms = transformWeight(b, turned);
  const output = empty(device, shape);
  for (let first = 0; first < images; first += taken) {
    const some = { ...params, first, images: Math.min(taken, images - first) };
    const share = some.images / images;
    const imageTerms = empty(device, [TERMS, some.images * tiles, channels]);
    launch({
      module,
      entryPoint: "transform_input",
      element: elementOf("f32", channels),
      tensors: { input: a, image_terms: imageTerms },
      params: { ...some, height, width, packs: packsOf(channels) },
      size: { invocations: some.images * tiles * packsOf(channels) },
      work: { bytes: bytesOf(a) * share + bytesOf(imageTerms) },
    });
    const products = matmulForward(imageTerms, weightTerms, {}, { transposeB: turned });
    release(imageTerms);
    const { bias = null, activation = null } = epilogue;
    launch({
      module,
      entryPoint: "transform_products",
      element: elementOf("f32", n),
      constants: { BIAS: bias !== null, ...activationConstants("conv2d", activation) },
      tensors: { products, bias: bias ?? products, output },
      params: { ...some, height: place_height, width: place_width, packs: packsOf(n) },
      size: { invocations: some.images * tiles * packsOf(n) },
      work: { bytes: bytesOf(products) + bytesOf(output) * share + (bias ? bytesOf(bias) : 0) },
    });
    release(products);
  }
  release(weightTerms);
  return output;
}

/** `[3,3,C,K]` -> `[16,C,K]`. */
function transformWeight(weight: Tensor, turned: boolean): Tensor {
  const [, , channels, filters] = weight.shape as [number, number, number, number];
  const terms = empty(weight.device, [TERMS, channels, filters]);
  const packs = packsOf(filters);
  launch({
    module,
    entryPoint: "transform_weight",
    element: elementOf("f32", filters),
    constants: { TURNED: turned },
    tensors: { weight, weight_terms: terms },
    params: { ...NOWHERE, channels, packs },
    size: { invocations: channels * packs },
  });
  return terms;
}

/** Params that are of no meaning to a weight. */
const NOWHERE = { first: 0, images: 0, tile_rows: 0, tile_columns: 0, height: 0, width: 0, pad_top: 0, pad_left: 0 };

const packsOf = (extent: number): number => (extent % 4 === 0 ? extent / 4 : extent);
