// Definitions of nearest rows and of greedy farthest points, in float64.

type Numbers = ArrayLike<number>;

export interface Nearest {
  readonly queries: number;
  readonly rows: number;
  readonly channels: number;
  readonly k: number;
}

const squaredDistance = (a: Numbers, b: Numbers): number => Array.from(a).reduce((sum, x, c) => sum + (x - b[c]!) ** 2, 0);

const rowsOf = (values: Numbers, channels: number): number[][] =>
  Array.from({ length: values.length / channels }, (_, i) => Array.from(values).slice(i * channels, (i + 1) * channels));

/** For each query all rows with their squared distances, sorted by distance, then by index; NaN last. */
function* sorted({ channels }: Pick<Nearest, "channels">, queries: Numbers, rows: Numbers) {
  const bank = rowsOf(rows, channels);
  for (const query of rowsOf(queries, channels)) {
    const rank = (d: number): number => (Number.isNaN(d) ? 2 : d === Infinity ? 1 : 0);
    yield bank
      .map((row, index) => ({ distance: squaredDistance(query, row), index }))
      .sort((a, b) => rank(a.distance) - rank(b.distance) || (rank(a.distance) === 0 ? a.distance - b.distance : 0) || a.index - b.index);
  }
}

export const squaredDistances = (p: Nearest, queries: Numbers, rows: Numbers): Float64Array =>
  Float64Array.from([...sorted(p, queries, rows)].flatMap((all) => all.slice(0, p.k).map(({ distance }) => distance)));

export const indices = (p: Nearest, queries: Numbers, rows: Numbers): Float64Array =>
  Float64Array.from([...sorted(p, queries, rows)].flatMap((all) => all.slice(0, p.k).map(({ index }) => index)));

/** Greedy k-centre: from `start`, each time the row that is farthest from those chosen, the first of several; never one twice. */
export function farthestPoints(rows: Numbers, channels: number, count: number, start: number): Float64Array {
  const bank = rowsOf(rows, channels);
  const chosen = [start];
  const distances = bank.map(() => Infinity);
  while (chosen.length < count) {
    bank.forEach((row, i) => {
      const distance = squaredDistance(row, bank[chosen.at(-1)!]!);
      distances[i] = Math.min(distances[i]!, Number.isNaN(distance) ? 0 : distance);
    });
    const left = bank.map((_, i) => i).filter((i) => !chosen.includes(i));
    chosen.push(left.reduce((best, i) => (distances[i]! > distances[best]! ? i : best)));
  }
  return Float64Array.from(chosen);
}
