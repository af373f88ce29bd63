import { activation } from "../ops/activation.ts";
import { conv2d, depthwiseConv2d } from "../ops/conv2d.ts";
import { divide, multiply, subtract } from "../ops/elementwise.ts";
import { gather } from "../ops/gather.ts";
import { pointwiseConv2d } from "../ops/matmul.ts";
import { averagePool, maxPool } from "../ops/pool.ts";
import { concat, slice } from "../ops/shape.ts";
import type { Device } from "../runtime/device.ts";
import { OptionError } from "../runtime/errors.ts";
import { fromArray, release, type Tensor } from "../tensor/tensor.ts";
import type { Backbone } from "./backbone.ts";

const STRIDE = 8; // input pixels to a cell
const STAGE = "filters";
const SCALES = 4; // halvings of the image, the last at the resolution of the cells
const TAPS = 7; // side of every filter
const BORDER = TAPS >> 1;
const ORIENTATIONS = 4;
const OPPONENTS = 4; // luminance, red-green, yellow-blue, and a zero that makes a pack of four
const DARK = 0.1; // added to colours in [0, 1] before the logarithm: what is darker counts as equally dark
const EVEN = 0.05; // added to the local contrast: what is more even than that is not blown up to noise
const WINDOWS = { std: 3, contrast: 5 }; // cells a side
const CHANNELS = SCALES * ORIENTATIONS + 6 * (SCALES - 1) + 6;

/**
 * A feature extractor that is fixed in code and needs no download: the largest responses, in cells of eight pixels, of
 * oriented filters and of centre-surround filters on opponent colours, at several scales, in units of the local
 * contrast; and the cells' mean colours. Colours are logarithms, so that more light only adds a constant.
 *
 * Channels of a cell: for each scale, 4 orientations, and for each but the last, bright and dark centres of 3
 * opponents; 3 mean opponents; 3 differences of a cell's mean from those around it.
 */
export function embeddedBackbone(device: Device, inputSize: number, stages: readonly string[] | null = null): Backbone {
  if (stages && stages.join() !== STAGE)
    throw new OptionError(`the embedded backbone has one stage, ${STAGE}, got ${stages.join(",") || "none"}`);
  if (!(Number.isInteger(inputSize / STRIDE) && inputSize >= 8 * STRIDE)) {
    throw new OptionError(
      `the embedded backbone takes images of a side that is a multiple of ${STRIDE} and at least ${8 * STRIDE}, got ${inputSize}`,
    );
  }
  const constants: Tensor[] = [];
  const constant = (shape: readonly number[], values: Float32Array | Uint32Array): Tensor => {
    const tensor = fromArray(device, shape, values);
    constants.push(tensor);
    return tensor;
  };
  const light = constant(
    [3, 3],
    Float32Array.from({ length: 9 }, (_, i) => (i % 4 === 0 ? 0.5 / (0.5 + DARK) : 0)),
  );
  const grey = constant([3], Float32Array.of(1, 1, 1));
  const opponents = constant([3, OPPONENTS], OPPONENT_COLOURS);
  const oriented = constant([TAPS, TAPS, 1, 2 * ORIENTATIONS], orientedFilters());
  const centred = constant([TAPS, TAPS, OPPONENTS], centreSurroundFilters());
  const bothSigns = constant([OPPONENTS, 8], SIGNS);
  const quadrature = constant([2 * ORIENTATIONS, ORIENTATIONS], QUADRATURE);
  const unitOf = constant([OPPONENTS, CHANNELS], UNITS);
  const leastUnit = constant([CHANNELS], LEAST_UNITS);
  const withBorder = Array.from({ length: SCALES }, (_, scale) => {
    const side = inputSize >> scale;
    return constant(
      [side + 2 * BORDER],
      Uint32Array.from({ length: side + 2 * BORDER }, (_, i) => Math.min(Math.max(i - BORDER, 0), side - 1)),
    );
  });

  /** The mean over a square of cells, of those inside the image. */
  const around = (values: Tensor, window: number): Tensor =>
    averagePool(values, window, { stride: 1, padding: window >> 1, countIncludePad: false });

  /** Standard deviation of each opponent in and around each cell, and the mean of that further around. */
  const contrastOf = (level: Tensor): Tensor => {
    const mean = around(averagePool(level, STRIDE), WINDOWS.std);
    const square = around(averagePool(multiply(level, level), STRIDE), WINDOWS.std);
    const variance = activation(subtract(square, multiply(mean, mean)), "relu"); // rounding may leave it below zero
    return around(activation(variance, "sqrt"), WINDOWS.contrast);
  };

  const extract = (images: Tensor): Tensor => {
    using scope = device.scope();
    const features: Tensor[] = [];
    let level = pointwiseConv2d(pointwiseConv2d(images, light, { bias: grey, activation: "log" }), opponents);
    const contrast = contrastOf(level);
    for (let scale = 0; scale < SCALES; scale++) {
      const window = STRIDE >> scale;
      // Beyond the border the image goes on as it ends: zeros would be an edge, the strongest in many images.
      const bordered = gather(gather(level, withBorder[scale]!, 1), withBorder[scale]!, 2);
      const waves = conv2d(slice(bordered, 0, 1), oriented);
      features.push(activation(maxPool(pointwiseConv2d(multiply(waves, waves), quadrature), window), "sqrt"));
      if (scale === SCALES - 1) break;
      const centres = pointwiseConv2d(depthwiseConv2d(bordered, centred), bothSigns, { activation: "relu" });
      features.push(slice(maxPool(centres, window), 0, 6));
      level = averagePool(level, 2);
    }
    features.push(slice(level, 0, 3), slice(subtract(level, around(level, 3)), 0, 3));
    return scope.keep(divide(concat(features), pointwiseConv2d(contrast, unitOf, { bias: leastUnit })));
  };

  return {
    identity: { name: "embedded", padding: null, weights: null },
    input: { side: inputSize, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
    stages: [{ name: STAGE, stride: STRIDE, channels: CHANNELS }],
    standardise: true,
    features: (images) => [extract(images)],
    release: () => constants.forEach(release),
  };
}

/** The opponent in whose contrast each channel is stated; -1 for mean colours, which stay as they are. */
const OPPONENT_OF = Array.from({ length: SCALES }, (_, scale) => [
  ...Array<number>(ORIENTATIONS).fill(0),
  ...(scale < SCALES - 1 ? [0, 0, 1, 1, 2, 2] : [-1, -1, -1, 0, 1, 2]),
]).flat();

/** Rows the opponents, columns the channels: 1 where the channel is stated in that opponent's contrast. */
const UNITS = Float32Array.from({ length: OPPONENTS * CHANNELS }, (_, i) =>
  OPPONENT_OF[i % CHANNELS] === Math.floor(i / CHANNELS) ? 1 : 0,
);

const LEAST_UNITS = Float32Array.from(OPPONENT_OF, (opponent) => (opponent < 0 ? 1 : EVEN));

/** Rows R, G, B; columns luminance, red-green, yellow-blue, zero. */
const OPPONENT_COLOURS = Float32Array.of(1 / 3, 1, 0.5, 0, 1 / 3, -1, 0.5, 0, 1 / 3, 0, -1, 0);

/** Rows the opponents; columns +luminance, -luminance, +red-green, ... */
const SIGNS = Float32Array.from({ length: OPPONENTS * 8 }, (_, i) => {
  const [opponent, column] = [Math.floor(i / 8), i % 8];
  if (opponent === OPPONENTS - 1 || column >> 1 !== opponent) return 0;
  return column % 2 === 0 ? 1 : -1;
});

/** Adds the energies of an even and an odd filter of one orientation: the square of the modulus. */
const QUADRATURE = Float32Array.from({ length: 2 * ORIENTATIONS * ORIENTATIONS }, (_, i) =>
  Math.floor(i / ORIENTATIONS) % ORIENTATIONS === i % ORIENTATIONS ? 1 : 0,
);

/** `[7,7,1,8]`: even, then odd Gabor filters of four orientations; wavelength 4 pixels; no response to flat areas. */
function orientedFilters(): Float32Array {
  const filters = new Float32Array(TAPS * TAPS * 2 * ORIENTATIONS);
  const [wavelength, sigma] = [4, 1.6];
  for (let o = 0; o < 2 * ORIENTATIONS; o++) {
    const angle = (Math.PI * (o % ORIENTATIONS)) / ORIENTATIONS;
    const wave = o < ORIENTATIONS ? Math.cos : Math.sin;
    const taps = filterOf(
      (x, y, envelope) => envelope * wave((2 * Math.PI * (x * Math.cos(angle) + y * Math.sin(angle))) / wavelength),
      sigma,
    );
    taps.forEach((tap, i) => (filters[i * 2 * ORIENTATIONS + o] = tap));
  }
  return filters;
}

/** `[7,7,4]`: a narrow Gaussian less a wide one, the same for each opponent. */
function centreSurroundFilters(): Float32Array {
  const narrow = filterOf((_x, _y, envelope) => envelope, 0.9, false);
  const wide = filterOf((_x, _y, envelope) => envelope, 2.2, false);
  return Float32Array.from({ length: TAPS * TAPS * OPPONENTS }, (_, i) => {
    const tap = Math.floor(i / OPPONENTS);
    return narrow[tap]! - wide[tap]!;
  });
}

/** A filter of absolute sum 1 from its formula; made to sum to zero where `balanced`. */
function filterOf(
  formula: (x: number, y: number, envelope: number) => number,
  sigma: number,
  balanced = true,
): number[] {
  const at = Array.from(
    { length: TAPS * TAPS },
    (_, i) => [(i % TAPS) - (TAPS >> 1), Math.floor(i / TAPS) - (TAPS >> 1)] as const,
  );
  const envelopes = at.map(([x, y]) => Math.exp(-(x * x + y * y) / (2 * sigma * sigma)));
  const taps = at.map(([x, y], i) => formula(x, y, envelopes[i]!));
  const total = envelopes.reduce((sum, e) => sum + e, 0);
  const offset = balanced ? taps.reduce((sum, tap) => sum + tap, 0) / total : 0;
  const level = taps.map((tap, i) => tap - offset * envelopes[i]!);
  const scale = level.reduce((sum, tap) => sum + Math.abs(tap), 0);
  return level.map((tap) => tap / scale);
}
