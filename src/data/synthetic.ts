import { RandomStream } from "../tensor/random.ts";

/** A made-up photograph: 8-bit RGBA, row-major, size * size. */
export interface SyntheticImage {
  readonly name: string;
  /** "good" or the kind of defect. */
  readonly defect: string;
  readonly rgba: Uint8Array;
  /** 1 exactly where the defect changed the picture; null for a good one. */
  readonly mask: Uint8Array | null;
}

export interface SyntheticClass {
  readonly name: string;
  readonly train: readonly SyntheticImage[];
  readonly test: readonly SyntheticImage[];
}

export interface SyntheticOptions {
  /** Side of the pictures, pixels. */
  readonly size: number;
  /** Good pictures to learn from, for each class. */
  readonly train: number;
  /** Good pictures to test with, for each class. */
  readonly good: number;
  /** Defective pictures of each kind, for each class. */
  readonly defective: number;
  readonly seed: number;
}

type Colour = readonly [number, number, number];

/** What a class looks like, and how it can be faulty. Coordinates are in units of 1/256 of the side. */
interface Scene {
  readonly name: string;
  /** Draws what differs from one good part to the next, and returns the colour, in 0..255, at a place. */
  readonly good: (random: RandomStream) => (x: number, y: number) => Colour;
  readonly defects: Readonly<Record<string, (random: RandomStream, good: (x: number, y: number) => Colour) => (x: number, y: number, colour: Colour) => Colour>>;
}

const LEAST_CHANGE = 8; // of 255, in any colour, that counts as altered
const NOISE = 3; // of 255, standard deviation of the sensor

/**
 * A small inspection set: woven cloth and drilled metal plates; scratches, stains and missing parts, each with its exact
 * mask. The same seed gives the same pictures.
 */
export function synthesise({ size, train, good, defective, seed }: SyntheticOptions): SyntheticClass[] {
  return [WEAVE, PLATE].map((scene, index) => {
    let serial = 0;
    const make = (name: string, defect: string): SyntheticImage => {
      const random = new RandomStream(seed, 1000 * (index + 1) + serial++);
      return picture(scene, name, defect, random, size);
    };
    const numbered = (count: number, defect: string) => Array.from({ length: count }, (_, i) => make(String(i).padStart(3, "0"), defect));
    return {
      name: scene.name,
      train: numbered(train, "good"),
      test: [...numbered(good, "good"), ...Object.keys(scene.defects).flatMap((defect) => numbered(defective, defect))],
    };
  });
}

function picture(scene: Scene, name: string, defect: string, random: RandomStream, size: number): SyntheticImage {
  const good = scene.good(random);
  const fault = scene.defects[defect]?.(random, good);
  const light = lighting(random);
  const noise = random.normals(size * size, NOISE);
  const rgba = new Uint8Array(4 * size * size);
  const mask = fault ? new Uint8Array(size * size) : null;
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const [x, y] = [((column + 0.5) * 256) / size, ((row + 0.5) * 256) / size];
      const at = row * size + column;
      const clean = good(x, y);
      const shown = fault ? fault(x, y, clean) : clean;
      const brightness = light(x, y);
      let altered = false;
      for (let c = 0; c < 3; c++) {
        const value = (colour: Colour) => Math.max(0, Math.min(255, Math.round(brightness * colour[c]! + noise[at]!)));
        rgba[4 * at + c] = value(shown);
        if (Math.abs(value(shown) - value(clean)) >= LEAST_CHANGE) altered = true;
      }
      rgba[4 * at + 3] = 255;
      if (mask && altered) mask[at] = 1;
    }
  }
  return { name, defect, rgba, mask };
}

/** A lamp that hangs a little differently over every part. */
function lighting(random: RandomStream): (x: number, y: number) => number {
  const level = between(random, 0.94, 1.06);
  const [tiltX, tiltY] = [between(random, -0.06, 0.06), between(random, -0.06, 0.06)];
  return (x, y) => level + (tiltX * (x - 128)) / 128 + (tiltY * (y - 128)) / 128;
}

/** Plain weave: threads over and under each other. */
const WEAVE: Scene = {
  name: "weave",
  good: (random) => {
    const period = 12;
    const place = placed(random, 0.04, period);
    const tone = smoothNoise(random);
    const thickness = smoothNoise(random);
    return (x, y) => {
      const [u, v] = place(x, y);
      const [i, j] = [Math.floor(u / period), Math.floor(v / period)];
      const over = (i + j) % 2 === 0; // the upright thread lies on top
      const [across, along] = over ? [u / period - i, v / period - j] : [v / period - j, u / period - i];
      const shade = Math.sin(Math.PI * across) ** 0.6 * (0.72 + 0.28 * Math.sin(Math.PI * along));
      const thread = over ? tone(i * 7.3, 11.7) : tone(31.3, j * 7.3);
      const fibre = 0.06 * thickness(across * 9 + 40 * (over ? i : j), along * 2.5 + (over ? j : i) * 3);
      const level = (0.35 + 0.65 * shade) * (1 + 0.1 * thread + fibre);
      const base: Colour = over ? [206, 192, 160] : [88, 112, 146];
      return [base[0] * level, base[1] * level, base[2] * level];
    };
  },
  defects: {
    scratch: (random) => scratch(random, [246, 240, 226]),
    stain: (random) => stain(random, [126, 74, 42]),
    missing: (random) => {
      // A stretch of one upright thread is gone: the dark ground shows.
      const [cx, cy] = [between(random, 60, 196), between(random, 60, 196)];
      const [halfWidth, halfLength] = [between(random, 4.5, 6.5), between(random, 22, 42)];
      const lean = between(random, -0.05, 0.05);
      return (x, y, colour) => {
        const across = Math.abs(x - cx - lean * (y - cy)) / halfWidth;
        const along = Math.abs(y - cy) / halfLength;
        const gone = smoothStep(1.15, 0.75, Math.max(across, along));
        return blend(colour, [30, 28, 32], 0.9 * gone);
      };
    },
  },
};

const HOLE_PITCH = 52;
const HOLE_RADIUS = 11;

/** Brushed metal with rows of countersunk holes. */
const PLATE: Scene = {
  name: "plate",
  good: (random) => {
    const brush = smoothNoise(random);
    const holes = plateHoles(random);
    return (x, y) => holes(x, y, metal(brush, x, y));
  },
  defects: {
    scratch: (random) => scratch(random, [232, 236, 240]),
    stain: (random) => stain(random, [150, 88, 44]),
    missing: (random, good) => {
      // One hole was never drilled: plain metal where it should be, borrowed from half a pitch beside it.
      const [row, column] = [Math.floor(between(random, 1, 4)), Math.floor(between(random, 1, 4))];
      const centre = holeCentreNear(good, row, column);
      return (x, y, colour) => {
        const covered = smoothStep(HOLE_RADIUS + 6, HOLE_RADIUS + 3, Math.hypot(x - centre[0], y - centre[1]));
        return covered > 0 ? blend(colour, good(x + HOLE_PITCH / 2, y + HOLE_PITCH / 2), covered) : colour;
      };
    },
  },
};

function metal(brush: (x: number, y: number) => number, x: number, y: number): Colour {
  const level = 1 + 0.07 * brush(x / 60, y * 0.9) + 0.05 * brush(x / 18 + 50, y * 1.7);
  return [150 * level, 156 * level, 164 * level];
}

/** Draws where a plate lies; its holes shade the metal. */
function plateHoles(random: RandomStream) {
  const [offsetX, offsetY] = [between(random, -4, 4), between(random, -4, 4)];
  return (x: number, y: number, ground: Colour): Colour => {
    const column = Math.round((x - 24 - offsetX) / HOLE_PITCH);
    const row = Math.round((y - 24 - offsetY) / HOLE_PITCH);
    const [dx, dy] = [x - 24 - offsetX - column * HOLE_PITCH, y - 24 - offsetY - row * HOLE_PITCH];
    const distance = Math.hypot(dx, dy);
    const rim = smoothStep(HOLE_RADIUS + 4, HOLE_RADIUS + 2.5, distance);
    const bore = smoothStep(HOLE_RADIUS + 0.7, HOLE_RADIUS - 0.7, distance);
    const facing = (dx + dy) / (distance + 1e-6) / Math.SQRT2; // the lamp stands at the top left
    const bevel = blend(ground, facing > 0 ? [236, 240, 244] : [84, 88, 94], rim * Math.abs(facing) * 0.8);
    const depth = 34 + 16 * Math.max(0, dx + dy) / HOLE_RADIUS;
    return blend(bevel, [depth, depth, depth + 3], bore);
  };
}

/** The darkest place near where a hole is expected: its centre, wherever the plate lies. */
function holeCentreNear(good: (x: number, y: number) => Colour, row: number, column: number): readonly [number, number] {
  let [sumX, sumY, weight] = [0, 0, 0];
  for (let dy = -16; dy <= 16; dy++) {
    for (let dx = -16; dx <= 16; dx++) {
      const [x, y] = [24 + column * HOLE_PITCH + dx, 24 + row * HOLE_PITCH + dy];
      const [red] = good(x, y);
      if (red >= 62) continue;
      sumX += x;
      sumY += y;
      weight++;
    }
  }
  return [sumX / weight, sumY / weight];
}

/** A thin curved line, bright with a dark edge. */
function scratch(random: RandomStream, colour: Colour): (x: number, y: number, colour: Colour) => Colour {
  const [cx, cy] = [between(random, 70, 186), between(random, 70, 186)];
  const angle = between(random, 0, Math.PI);
  const [length, bend] = [between(random, 34, 62), between(random, -0.006, 0.006)];
  const width = between(random, 1.6, 2.6);
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return (x, y, clean) => {
    const along = (x - cx) * cos + (y - cy) * sin;
    const across = (y - cy) * cos - (x - cx) * sin - bend * along * along;
    const taper = smoothStep(length, 0.7 * length, Math.abs(along));
    const line = smoothStep(width, 0.5 * width, Math.abs(across)) * taper;
    const edge = smoothStep(2.2 * width, width, Math.abs(across - width)) * taper;
    return blend(blend(clean, [40, 38, 38], 0.45 * edge), colour, 0.85 * line);
  };
}

/** A soft discoloured blot with an uneven outline. */
function stain(random: RandomStream, colour: Colour): (x: number, y: number, colour: Colour) => Colour {
  const [cx, cy] = [between(random, 50, 206), between(random, 50, 206)];
  const radius = between(random, 10, 22);
  const outline = smoothNoise(random);
  return (x, y, clean) => {
    const wobble = 1 + 0.35 * outline(x / 14, y / 14);
    const cover = smoothStep(radius * wobble, 0.55 * radius * wobble, Math.hypot(x - cx, y - cy));
    const tinted: Colour = [(clean[0] * colour[0]) / 150, (clean[1] * colour[1]) / 150, (clean[2] * colour[2]) / 150];
    return blend(clean, tinted, 0.85 * cover);
  };
}

/** A slight turn and shift of the part under the camera. */
function placed(random: RandomStream, turn: number, shift: number): (x: number, y: number) => readonly [number, number] {
  const angle = between(random, -turn, turn);
  const [dx, dy] = [between(random, 0, 2 * shift), between(random, 0, 2 * shift)];
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return (x, y) => [x * cos + y * sin + dx + 512, y * cos - x * sin + dy + 512];
}

/** Smooth noise in about [-1, 1] on a lattice of pitch 1, without a period that shows. */
function smoothNoise(random: RandomStream): (x: number, y: number) => number {
  const salt = random.word();
  const lattice = (i: number, j: number): number => {
    let h = Math.imul(i, 0x9e3779b1) ^ Math.imul(j, 0x85ebca77) ^ salt;
    h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
    h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
    return ((h ^ (h >>> 15)) >>> 0) / 2 ** 31 - 1;
  };
  return (x, y) => {
    const [i, j] = [Math.floor(x), Math.floor(y)];
    const [u, v] = [ease(x - i), ease(y - j)];
    const top = lattice(i, j) * (1 - u) + lattice(i + 1, j) * u;
    const bottom = lattice(i, j + 1) * (1 - u) + lattice(i + 1, j + 1) * u;
    return top * (1 - v) + bottom * v;
  };
}

const ease = (t: number): number => t * t * (3 - 2 * t);

/** 0 at `from`, 1 at `to`, smooth between. */
const smoothStep = (from: number, to: number, at: number): number => ease(Math.max(0, Math.min(1, (at - from) / (to - from))));

const blend = (a: Colour, b: Colour, share: number): Colour => [
  a[0] + (b[0] - a[0]) * share,
  a[1] + (b[1] - a[1]) * share,
  a[2] + (b[2] - a[2]) * share,
];

const between = (random: RandomStream, low: number, high: number): number => low + (high - low) * random.unit();
