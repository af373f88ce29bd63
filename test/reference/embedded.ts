/** The embedded backbone in float64: pixels by row and column, one map for each channel. */
type Map2d = readonly (readonly number[])[];
type Filter = (dx: number, dy: number) => number;

const REACH = [-3, -2, -1, 0, 1, 2, 3];
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const grid = (side: number, f: (x: number, y: number) => number): Map2d =>
  Array.from({ length: side }, (_, y) => Array.from({ length: side }, (_, x) => f(x, y)));
const overWindow = <T>(f: (dx: number, dy: number) => T): T[] => REACH.flatMap((dy) => REACH.map((dx) => f(dx, dy)));

/** Scaled to an absolute sum of 1. */
function scaled(filter: Filter): Filter {
  const total = sum(overWindow(filter).map(Math.abs));
  return (dx, dy) => filter(dx, dy) / total;
}

const gaussian = (sigma: number): Filter => scaled((dx, dy) => Math.exp(-(dx * dx + dy * dy) / (2 * sigma * sigma)));

/** A wave of 4 pixels under a Gaussian, minus a multiple of the Gaussian so that it sums to 0. */
function gabor(angle: number, wave: (phase: number) => number): Filter {
  const envelope = gaussian(1.6);
  const raw: Filter = (dx, dy) =>
    envelope(dx, dy) * wave((Math.PI / 2) * (dx * Math.cos(angle) + dy * Math.sin(angle)));
  const offset = sum(overWindow(raw));
  return scaled((dx, dy) => raw(dx, dy) - offset * envelope(dx, dy));
}

const centreSurround: Filter = (dx, dy) => gaussian(0.9)(dx, dy) - gaussian(2.2)(dx, dy);

/** Filters an image whose border pixels are repeated outside. */
function filtered(image: Map2d, filter: Filter): Map2d {
  const inside = (i: number): number => Math.min(Math.max(i, 0), image.length - 1);
  const taps = overWindow((dx, dy) => [dx, dy, filter(dx, dy)] as const);
  return grid(image.length, (x, y) => sum(taps.map(([dx, dy, tap]) => tap * image[inside(y + dy)]![inside(x + dx)]!)));
}

/** One value for each square of `side` pixels. */
const pooled = (image: Map2d, side: number, of: (values: number[]) => number): Map2d =>
  grid(image.length / side, (x, y) =>
    of(Array.from({ length: side * side }, (_, i) => image[y * side + Math.floor(i / side)]![x * side + (i % side)]!)),
  );

const mean = (values: readonly number[]): number => sum(values) / values.length;

/** The mean over the square of `side` around each place, clipped to the image. */
const around = (image: Map2d, side: number): Map2d =>
  grid(image.length, (x, y) => {
    const near = (at: number, i: number): boolean => Math.abs(i - at) <= (side - 1) / 2;
    return mean(image.flatMap((row, j) => (near(y, j) ? row.filter((_, i) => near(x, i)) : [])));
  });

const zipped = (a: Map2d, b: Map2d, f: (a: number, b: number) => number): Map2d =>
  grid(a.length, (x, y) => f(a[y]![x]!, b[y]![x]!));

/** The mean absolute deviation around each cell. */
function contrast(image: Map2d): Map2d {
  const [first, second] = [
    around(pooled(image, 8, mean), 3),
    around(
      pooled(image, 8, (values) => mean(values.map((v) => v * v))),
      3,
    ),
  ];
  return around(
    zipped(first, second, (m, s) => Math.sqrt(Math.max(s - m * m, 0))),
    5,
  );
}

/** `[side, side, 3]`, R, G, B in [-1, 1] -> `[side / 8, side / 8, 40]` */
export function embeddedFeatures(side: number, pixels: ArrayLike<number>): Float64Array {
  const log = (x: number, y: number, c: number): number =>
    Math.log(((pixels[3 * (y * side + x) + c]! + 1) / 2 + 0.1) / 0.6);
  let opponents = [
    grid(side, (x, y) => (log(x, y, 0) + log(x, y, 1) + log(x, y, 2)) / 3),
    grid(side, (x, y) => log(x, y, 0) - log(x, y, 1)),
    grid(side, (x, y) => (log(x, y, 0) + log(x, y, 1)) / 2 - log(x, y, 2)),
  ];
  const contrasts = opponents.map(contrast);
  const inUnits = (map: Map2d, opponent: number): Map2d =>
    zipped(map, contrasts[opponent]!, (value, unit) => value / (unit + 0.05));
  const largest = (values: number[]): number => Math.max(...values);
  const channels: Map2d[] = [];
  for (const window of [8, 4, 2, 1]) {
    for (const angle of [0, 1, 2, 3].map((o) => (o * Math.PI) / 4)) {
      const [even, odd] = [Math.cos, Math.sin].map((wave) => filtered(opponents[0]!, gabor(angle, wave))) as [
        Map2d,
        Map2d,
      ];
      channels.push(inUnits(pooled(zipped(even, odd, Math.hypot), window, largest), 0));
    }
    if (window === 1) break;
    opponents.forEach((image, o) => {
      const response = filtered(image, centreSurround);
      for (const sign of [1, -1])
        channels.push(
          inUnits(
            pooled(response, window, (values) => largest([0, ...values.map((v) => sign * v)])),
            o,
          ),
        );
    });
    opponents = opponents.map((image) => pooled(image, 2, mean));
  }
  channels.push(
    ...opponents,
    ...opponents.map((image, o) =>
      inUnits(
        zipped(image, around(image, 3), (a, b) => a - b),
        o,
      ),
    ),
  );
  const cells = side / 8;
  return Float64Array.from({ length: cells * cells * channels.length }, (_, i) => {
    const cell = Math.floor(i / channels.length);
    return channels[i % channels.length]![Math.floor(cell / cells)]![cell % cells]!;
  });
}
