import { RandomStream } from "../tensor/random.ts";

/** A synthetic photograph: 8-bit RGBA, row-major, size * size, opaque. */
export interface SyntheticImage {
  readonly name: string;
  /** "good" or the kind of defect. */
  readonly defect: string;
  readonly rgba: Uint8Array;
  /** 1 where the defect changed the picture, 0 elsewhere; null for a good picture. */
  readonly mask: Uint8Array | null;
}

export interface SyntheticClass {
  readonly name: string;
  readonly train: readonly SyntheticImage[];
  readonly test: readonly SyntheticImage[];
}

export interface SyntheticOptions {
  /** Side of the pictures, in pixels. */
  readonly size: number;
  /** Number of good training pictures per class. */
  readonly train: number;
  /** Number of good test pictures per class. */
  readonly good: number;
  /** Number of defective pictures of each kind, per class. */
  readonly defective: number;
  readonly seed: number;
}

type Colour = readonly [number, number, number];

/** Colour at a place with a defect, from the clean colour. Places are in units of 1/256 of the side. */
type Fault = (x: number, y: number, clean: Colour) => Colour;

/** One part under the camera. */
interface Part {
  /** In 0..255 under even light. */
  readonly colour: (x: number, y: number) => Colour;
  /** 1 where there is material to scratch or stain, 0 where there is none. */
  readonly surface: (x: number, y: number) => number;
  /** A defect that removes something from the part. */
  readonly missing: (random: RandomStream) => Fault;
}

interface Scene {
  readonly name: string;
  /** Draws one part, with its variation among good parts. */
  readonly part: (random: RandomStream) => Part;
  readonly scratch: Colour;
  readonly stain: Colour;
}

const DEFECTS: Readonly<Record<string, (random: RandomStream, part: Part, scene: Scene) => Fault>> = {
  scratch: (random, { surface }, { scratch }) => scratched(random, scratch, surface),
  stain: (random, { surface }, { stain }) => stained(random, stain, surface),
  missing: (random, { missing }) => missing(random),
};

const LEAST_CHANGE = 6; // change in any colour, of 255, that counts as a defect: twice the noise
const NOISE = 3; // standard deviation of the sensor noise, of 255

/**
 * Makes a small inspection set: woven cloth and drilled metal plates; scratches, stains and missing parts, each with
 * its exact mask. The same seed gives the same pictures; the n-th picture of a class shows the same part with or
 * without a defect.
 * @param onPicture called after each picture
 */
export function synthesise(options: SyntheticOptions, onPicture: () => void = () => undefined): SyntheticClass[] {
  const { size, train, good, defective, seed } = options;
  return SCENES.map((scene, index) => {
    let serial = 0;
    const numbered = (count: number, defect: string) =>
      Array.from({ length: count }, (_, i) => {
        const random = new RandomStream(seed, 1000 * (index + 1) + serial++);
        const made = picture(scene, String(i).padStart(3, "0"), defect, random, size);
        onPicture();
        return made;
      });
    return {
      name: scene.name,
      train: numbered(train, "good"),
      test: [...numbered(good, "good"), ...Object.keys(DEFECTS).flatMap((defect) => numbered(defective, defect))],
    };
  });
}

/** Number of pictures that `synthesise` makes, without masks. */
export const pictureCount = ({ train, good, defective }: SyntheticOptions): number =>
  SCENES.length * (train + good + Object.keys(DEFECTS).length * defective);

function picture(scene: Scene, name: string, defect: string, random: RandomStream, size: number): SyntheticImage {
  const part = scene.part(random);
  const light = lighting(random);
  const noise = sensorNoise(random);
  const fault = DEFECTS[defect]?.(random, part, scene); // drawn last: the part is the same without it
  const rgba = new Uint8Array(4 * size * size);
  const mask = fault ? new Uint8Array(size * size) : null;
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const [x, y] = [((column + 0.5) * 256) / size, ((row + 0.5) * 256) / size];
      const at = row * size + column;
      const [brightness, grain] = [light(x, y), noise(at)];
      const byte = (level: number) => Math.max(0, Math.min(255, Math.round(brightness * level + grain)));
      const clean = part.colour(x, y);
      for (let c = 0; c < 3; c++) rgba[4 * at + c] = byte(clean[c]!);
      rgba[4 * at + 3] = 255;
      if (!fault || !mask) continue;
      const shown = fault(x, y, clean);
      if (!shown.some((level, c) => Math.abs(byte(level) - rgba[4 * at + c]!) >= LEAST_CHANGE)) continue; // unchanged
      for (let c = 0; c < 3; c++) rgba[4 * at + c] = byte(shown[c]!);
      mask[at] = 1;
    }
  }
  return { name, defect, rgba, mask };
}

/** Lighting whose lamp hangs slightly differently over every part. */
function lighting(random: RandomStream): (x: number, y: number) => number {
  const level = between(random, 0.94, 1.06);
  const [tiltX, tiltY] = [between(random, -0.06, 0.06), between(random, -0.06, 0.06)];
  return (x, y) => level + (tiltX * (x - 128)) / 128 + (tiltY * (y - 128)) / 128;
}

/** Approximately normal noise: a sum of four bytes, whose variance is 4 * (256^2 - 1) / 12. */
function sensorNoise(random: RandomStream): (pixel: number) => number {
  const salt = random.word();
  const scale = NOISE / Math.sqrt((4 * (256 ** 2 - 1)) / 12);
  return (pixel) => {
    const word = hash(Math.imul(pixel, 0x9e3779b1) ^ salt);
    return scale * ((word & 255) + ((word >>> 8) & 255) + ((word >>> 16) & 255) + (word >>> 24) - 2 * 255);
  };
}

const THREAD = 12; // distance between threads

/** Plain weave: upright ecru threads and lying blue ones, over and under each other in turn. */
const WEAVE: Scene = {
  name: "weave",
  scratch: [250, 247, 240],
  stain: [128, 62, 28],
  part: (random) => {
    const place = placed(random, 0.04, THREAD);
    const [bend, tone, fibre] = [smoothNoise(random), smoothNoise(random), smoothNoise(random)];
    /** Coordinates of a place in the weave, in threads. */
    const threadsAt = (x: number, y: number): readonly [number, number] => {
      const [u, v] = place(x, y);
      return [(u + 1.2 * bend(u / 70, v / 45)) / THREAD, (v + 1.2 * bend(u / 45 + 90, v / 70)) / THREAD];
    };
    /** A thread's colour, `across` in [-1, 1] from its left to its right, `along` its length in threads. */
    const thread = (upright: boolean, index: number, across: number, along: number, height: number): Colour => {
      // lit from the left and above
      const round = 0.42 + 0.58 * Math.sqrt(Math.max(0, 1 - across * across)) - 0.08 * across;
      const twist = fibre(across * 1.6 + along * 2.4, index * 5.1 + (upright ? 0 : 300));
      const yarn = 1 + 0.1 * tone(index * 7.3, upright ? 11.7 : 71.3) + 0.13 * twist;
      return scaled(upright ? [205, 194, 172] : [112, 128, 150], round * yarn * height);
    };
    return {
      surface: () => 1,
      colour: (x, y) => {
        const [u, v] = threadsAt(x, y);
        const [i, j] = [Math.floor(u), Math.floor(v)];
        const [du, dv] = [u - i - 0.5, v - j - 0.5];
        const upright = (i + j) % 2 === 0; // true if the upright thread lies on top here
        const [across, along] = upright ? [du, dv] : [dv, du];
        const crown = Math.cos(Math.PI * along); // highest in the middle, down at its ends
        const halfWidth = 0.45 + 0.05 * crown;
        const top = thread(upright, upright ? i : j, across / halfWidth, upright ? v : u, 0.76 + 0.26 * crown);
        const below = thread(!upright, upright ? j : i, along / 0.49, upright ? u : v, 0.5);
        return blend(below, top, smoothStep(halfWidth + 0.05, halfWidth - 0.05, Math.abs(across)));
      },
      missing: (random) => {
        // A stretch of one thread is missing, so that the threads that crossed it show over the dark ground.
        const upright = random.unit() < 0.5;
        const [u, v] = threadsAt(between(random, 60, 196), between(random, 60, 196));
        const index = Math.floor(upright ? u : v);
        const halfLength = between(random, 2.2, 4.2);
        return (x, y, clean) => {
          const [tu, tv] = threadsAt(x, y);
          const [across, along] = upright ? [tu - index - 0.5, tv - v] : [tv - index - 0.5, tu - u];
          const gone =
            smoothStep(0.62, 0.5, Math.abs(across)) * smoothStep(halfLength + 0.2, halfLength - 0.2, Math.abs(along));
          if (gone === 0) return clean;
          const crossing = Math.floor(upright ? tv : tu);
          const offset = ((upright ? tv : tu) - crossing - 0.5) / 0.36;
          const bare = thread(!upright, crossing, offset, upright ? tu : tv, 0.6);
          return blend(clean, blend([20, 18, 20], bare, smoothStep(1.1, 0.9, Math.abs(offset)) * 0.85), gone);
        };
      },
    };
  },
};

const HOLE_PITCH = 52;
const HOLE_RADIUS = 11;
const RIM = 4.5; // width of the countersink

/** Brushed metal with rows of countersunk holes. */
const PLATE: Scene = {
  name: "plate",
  scratch: [238, 241, 244],
  stain: [150, 92, 48],
  part: (random) => {
    const brush = smoothNoise(random);
    const [left, top] = [24 + between(random, -4, 4), 24 + between(random, -4, 4)];
    const metal = (x: number, y: number): Colour =>
      scaled([150, 156, 164], 1 + 0.07 * brush(x / 60, y * 0.9) + 0.05 * brush(x / 18 + 50, y * 1.7));
    /** Offset from the middle of the nearest hole. */
    const fromHole = (x: number, y: number): readonly [number, number] => [
      x - left - HOLE_PITCH * Math.round((x - left) / HOLE_PITCH),
      y - top - HOLE_PITCH * Math.round((y - top) / HOLE_PITCH),
    ];
    const boreAt = (dx: number, dy: number): number =>
      smoothStep(HOLE_RADIUS + 0.7, HOLE_RADIUS - 0.7, Math.hypot(dx, dy));
    return {
      surface: (x, y) => 1 - boreAt(...fromHole(x, y)),
      colour: (x, y) => {
        const [dx, dy] = fromHole(x, y);
        const distance = Math.hypot(dx, dy);
        if (distance > HOLE_RADIUS + RIM) return metal(x, y);
        const rim = smoothStep(HOLE_RADIUS + RIM, HOLE_RADIUS + RIM - 1.5, distance);
        const facing = (dx + dy) / (distance + 1e-6) / Math.SQRT2; // the lamp stands at the top left
        const bevel = blend(metal(x, y), facing > 0 ? [240, 243, 246] : [78, 82, 89], rim * Math.abs(facing) * 0.85);
        const depth = 30 + 20 * Math.max(0, (dx + dy) / HOLE_RADIUS);
        return blend(bevel, [depth, depth, depth + 4], boreAt(dx, dy));
      },
      missing: (random) => {
        // One hole was never drilled.
        const [column, row] = [Math.floor(between(random, 1, 4)), Math.floor(between(random, 1, 4))];
        const [cx, cy] = [left + HOLE_PITCH * column, top + HOLE_PITCH * row];
        return (x, y, clean) => (Math.hypot(x - cx, y - cy) > HOLE_RADIUS + RIM ? clean : metal(x, y));
      },
    };
  },
};

/** A thin line, curved and a little uneven, bright beside its own shadow. */
function scratched(random: RandomStream, colour: Colour, surface: Part["surface"]): Fault {
  const [cx, cy] = [between(random, 76, 180), between(random, 76, 180)];
  const angle = between(random, 0, Math.PI);
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const [halfLength, bend] = [between(random, 34, 60), between(random, -0.005, 0.005)];
  const halfWidth = between(random, 1.1, 1.8);
  const tremor = smoothNoise(random);
  return (x, y, clean) => {
    const along = (x - cx) * cos + (y - cy) * sin;
    if (Math.abs(along) > halfLength) return clean;
    const across = (y - cy) * cos - (x - cx) * sin - bend * along * along - 1.2 * tremor(along / 9, 0.5);
    const width = halfWidth * (0.75 + 0.4 * tremor(along / 5, 7.5)) * Math.sqrt(1 - (along / halfLength) ** 2) + 0.4;
    const there = surface(x, y) * smoothStep(halfLength, halfLength - 6, Math.abs(along));
    const shadow = smoothStep(width + 1.6, width, Math.abs(across - 1.1));
    const line = smoothStep(width + 0.6, width - 0.6, Math.abs(across));
    return blend(blend(clean, [38, 36, 36], 0.55 * shadow * there), colour, 0.92 * line * there);
  };
}

/** A discoloured blot with an uneven outline, darker where its rim dried. */
function stained(random: RandomStream, colour: Colour, surface: Part["surface"]): Fault {
  let [cx, cy] = [0, 0];
  do [cx, cy] = [between(random, 48, 208), between(random, 48, 208)];
  while (surface(cx, cy) < 0.5); // or it could vanish in a hole
  const radius = between(random, 13, 22);
  const outline = smoothNoise(random);
  return (x, y, clean) => {
    const distance = Math.hypot(x - cx, y - cy) / radius;
    if (distance > 1.6) return clean;
    const edge = 1 + 0.32 * outline(x / 15, y / 15) + 0.12 * outline(x / 5 + 40, y / 5);
    const cover = smoothStep(edge, 0.8 * edge, distance) * surface(x, y) * (0.84 + 0.16 * outline(x / 7, y / 7 + 80));
    const rim = smoothStep(0.62 * edge, 0.9 * edge, distance);
    const soaked: Colour = [(clean[0] * colour[0]) / 165, (clean[1] * colour[1]) / 165, (clean[2] * colour[2]) / 165];
    return blend(clean, scaled(blend(soaked, colour, 0.42), 1 - 0.22 * rim), 0.8 * cover);
  };
}

/** A slight turn and shift of the part under the camera. */
function placed(
  random: RandomStream,
  turn: number,
  shift: number,
): (x: number, y: number) => readonly [number, number] {
  const angle = between(random, -turn, turn);
  const [dx, dy] = [between(random, 0, 2 * shift), between(random, 0, 2 * shift)];
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return (x, y) => [x * cos + y * sin + dx + 512, y * cos - x * sin + dy + 512];
}

/** Smooth noise in about [-1, 1] on a lattice of pitch 1, without visible period. */
function smoothNoise(random: RandomStream): (x: number, y: number) => number {
  const salt = random.word();
  const lattice = (i: number, j: number): number =>
    hash(Math.imul(i, 0x9e3779b1) ^ Math.imul(j, 0x85ebca77) ^ salt) / 2 ** 31 - 1;
  return (x, y) => {
    const [i, j] = [Math.floor(x), Math.floor(y)];
    const [u, v] = [ease(x - i), ease(y - j)];
    const top = lattice(i, j) * (1 - u) + lattice(i + 1, j) * u;
    const bottom = lattice(i, j + 1) * (1 - u) + lattice(i + 1, j + 1) * u;
    return top * (1 - v) + bottom * v;
  };
}

/** Hashes a word, so that neighbouring words give unrelated values; in [0, 2^32). */
function hash(word: number): number {
  let h = Math.imul(word ^ (word >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
  return (h ^ (h >>> 15)) >>> 0;
}

const ease = (t: number): number => t * t * (3 - 2 * t);

/** 0 at `from`, 1 at `to`, smooth between. */
const smoothStep = (from: number, to: number, at: number): number =>
  ease(Math.max(0, Math.min(1, (at - from) / (to - from))));

const scaled = ([red, green, blue]: Colour, factor: number): Colour => [red * factor, green * factor, blue * factor];

const blend = (a: Colour, b: Colour, share: number): Colour => [
  a[0] + (b[0] - a[0]) * share,
  a[1] + (b[1] - a[1]) * share,
  a[2] + (b[2] - a[2]) * share,
];

const between = (random: RandomStream, low: number, high: number): number => low + (high - low) * random.unit();

const SCENES: readonly Scene[] = [WEAVE, PLATE];
