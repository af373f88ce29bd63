// Philox4x32-10 straight from its paper, in arbitrary precision, and the walk of Feature Block Paste on top of it.

type Words = readonly [number, number, number, number];

const MASK = 0xffffffffn;

export function philox(counter: Words, key: readonly [number, number]): Words {
  let c = counter.map(BigInt) as [bigint, bigint, bigint, bigint];
  let [k0, k1] = key.map(BigInt) as [bigint, bigint];
  for (let round = 0; round < 10; round++) {
    const [p0, p1] = [0xd2511f53n * c[0], 0xcd9e8d57n * c[2]];
    c = [(p1 >> 32n) ^ c[1] ^ k0, p1 & MASK, (p0 >> 32n) ^ c[3] ^ k1, p0 & MASK];
    [k0, k1] = [(k0 + 0x9e3779b9n) & MASK, (k1 + 0xbb67ae85n) & MASK];
  }
  return c.map(Number) as unknown as Words;
}

/** The middle of one of 2^23 equal parts of (0, 1). */
export const unit = (word: number): number => (Math.floor(word / 512) + 0.5) / 2 ** 23;

export interface Walk {
  readonly height: number;
  readonly width: number;
  readonly maxHalfSide: number;
  readonly steps: number;
  readonly seed: number;
  readonly stream: number;
  readonly step: number;
}

/** Half side and centre of an image's block, and the cells that its walk marks. */
export function walk(p: Walk, image: number): { readonly half: number; readonly centre: readonly [x: number, y: number]; readonly cells: ReadonlySet<number>; readonly intensityUnit: number } {
  const draw = (index: number) => philox([index, image, p.step, p.stream], [p.seed, 0]);
  const [size, intensity, x, y] = draw(0);
  const half = Math.floor(Math.fround(0.5 + (p.maxHalfSide - 0.5) * unit(size)));
  const place = (word: number, extent: number) => half + Math.min(Math.floor(unit(word) * (extent - 2 * half)), extent - 2 * half - 1);
  const centre = [place(x, p.width), place(y, p.height)] as const;
  const cells = new Set<number>();
  let [dx, dy] = [0, 0];
  for (let i = 0; i < p.steps; i++) {
    const word = draw(1 + Math.floor(i / 64))[Math.floor(i / 16) % 4]!;
    const direction = Math.floor(word / 4 ** (i % 16)) % 4;
    if (direction < 2) dx += direction === 0 ? -1 : 1;
    else dy += direction === 2 ? -1 : 1;
    if (Math.abs(dx) <= half && Math.abs(dy) <= half) cells.add((centre[1] + dy) * p.width + centre[0] + dx);
  }
  return { half, centre, cells, intensityUnit: unit(intensity) };
}
