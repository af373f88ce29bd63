import { averagePool } from "../../ops/pool.ts";
import { relu, activation } from "../../ops/activation.ts";
import { conv2d, depthwiseConv2d } from "../../ops/conv2d.ts";
import { multiply } from "../../ops/elementwise.ts";
import { pointwiseConv2d } from "../../ops/matmul.ts";
import { concat, slice } from "../../ops/shape.ts";
import type { Device } from "../../runtime/device.ts";
import { OptionError } from "../../runtime/errors.ts";
import { fromArray, release, type Tensor } from "../../tensor/tensor.ts";
import type { Backbone } from "../backbone.ts";

const STRIDE = 8; // input pixels to a cell
const SCALES = 4; // halvings of the image, the last at the resolution of the cells
const TAPS = 7; // side of every filter
const ORIENTATIONS = 4;
const OPPONENTS = 4; // luminance, red-green, yellow-blue, and a zero that makes a pack of four
const CHANNELS = SCALES * ORIENTATIONS + 6 * (SCALES - 1) + 6;

/**
 * A feature extractor that is fixed in code and needs no download: the energy of oriented filters and of centre-surround
 * filters on opponent colours, at several scales, pooled to cells of eight pixels; and the cells' mean colours.
 *
 * Channels of a cell: for each scale, 4 orientations; for each but the last, bright and dark centres of 3 opponents;
 * 3 mean opponents; 3 differences of a cell's mean from its surroundings.
 */
export function embeddedBackbone(device: Device, inputSize: number): Backbone {
  if (!(Number.isInteger(inputSize / STRIDE) && inputSize >= 8 * STRIDE)) {
    throw new OptionError(`the embedded backbone takes images of a side that is a multiple of ${STRIDE} and at least ${8 * STRIDE}, got ${inputSize}`);
  }
  const cells = inputSize / STRIDE;
  const constant = (shape: readonly number[], values: Float32Array) => fromArray(device, shape, values);
  const opponents = constant([3, OPPONENTS], OPPONENT_COLOURS);
  const oriented = constant([TAPS, TAPS, 1, 2 * ORIENTATIONS], orientedFilters());
  const centred = constant([TAPS, TAPS, OPPONENTS], centreSurroundFilters());
  const bothSigns = constant([OPPONENTS, 8], SIGNS);
  const quadrature = constant([2 * ORIENTATIONS, ORIENTATIONS], QUADRATURE);

  /** Root of the mean energy of each response in each cell. */
  const energy = (responses: Tensor, window: number, pairs: Tensor | null): Tensor => {
    const pooled = averagePool(multiply(responses, responses), window);
    return activation(pairs ? pointwiseConv2d(pooled, pairs) : pooled, "sqrt");
  };

  const extract = (images: Tensor): Tensor => {
    using scope = device.scope();
    const features: Tensor[] = [];
    let level = pointwiseConv2d(images, opponents);
    for (let scale = 0; scale < SCALES; scale++) {
      const window = STRIDE >> scale;
      const luminance = slice(level, 0, 1);
      features.push(energy(conv2d(luminance, oriented, { padding: TAPS >> 1 }), window, quadrature));
      const contrasts = depthwiseConv2d(level, centred, { padding: TAPS >> 1 });
      if (scale < SCALES - 1) {
        features.push(slice(energy(relu(pointwiseConv2d(contrasts, bothSigns)), window, null), 0, 6));
        level = averagePool(level, 2);
      } else {
        features.push(slice(level, 0, 3), slice(contrasts, 0, 3));
      }
    }
    return scope.keep(concat(features));
  };

  return {
    settings: { name: "embedded", padding: null, weights: null },
    inputSize,
    mean: [0.5, 0.5, 0.5],
    deviation: [0.5, 0.5, 0.5],
    cells,
    channels: CHANNELS,
    standardise: true,
    extract,
    release: () => [opponents, oriented, centred, bothSigns, quadrature].forEach(release),
  };
}

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
    const taps = windowOf((x, y, envelope) => envelope * wave((2 * Math.PI * (x * Math.cos(angle) + y * Math.sin(angle))) / wavelength), sigma);
    taps.forEach((tap, i) => (filters[i * 2 * ORIENTATIONS + o] = tap));
  }
  return filters;
}

/** `[7,7,4]`: a narrow Gaussian less a wide one, the same for each opponent. */
function centreSurroundFilters(): Float32Array {
  const narrow = windowOf((_x, _y, envelope) => envelope, 0.9, false);
  const wide = windowOf((_x, _y, envelope) => envelope, 2.2, false);
  return Float32Array.from({ length: TAPS * TAPS * OPPONENTS }, (_, i) => {
    const tap = Math.floor(i / OPPONENTS);
    return narrow[tap]! - wide[tap]!;
  });
}

/** A filter of absolute sum 1 from its formula; made to sum to zero where `balanced`. */
function windowOf(formula: (x: number, y: number, envelope: number) => number, sigma: number, balanced = true): number[] {
  const at = Array.from({ length: TAPS * TAPS }, (_, i) => [(i % TAPS) - (TAPS >> 1), Math.floor(i / TAPS) - (TAPS >> 1)] as const);
  const envelopes = at.map(([x, y]) => Math.exp(-(x * x + y * y) / (2 * sigma * sigma)));
  const taps = at.map(([x, y], i) => formula(x, y, envelopes[i]!));
  const total = envelopes.reduce((sum, e) => sum + e, 0);
  const offset = balanced ? taps.reduce((sum, tap) => sum + tap, 0) / total : 0;
  const level = taps.map((tap, i) => tap - offset * envelopes[i]!);
  const scale = level.reduce((sum, tap) => sum + Math.abs(tap), 0);
  return level.map((tap) => tap / scale);
}
