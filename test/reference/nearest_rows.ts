// Definition of nearest rows, in float64.

type Numbers = ArrayLike<number>;

export interface Nearest {
  readonly queries: number;
  readonly rows: number;
  readonly channels: number;
  readonly k: number;
}

export const squaredDistance = (a: Numbers, b: Numbers): number =>
  Array.from(a).reduce((sum, x, c) => sum + (x - b[c]!) ** 2, 0);

export const rowsOf = (values: Numbers, channels: number): number[][] =>
  Array.from({ length: values.length / channels }, (_, i) =>
    Array.from(values).slice(i * channels, (i + 1) * channels),
  );

/** For each query, all rows with their squared distances, sorted by distance, then by index; NaN last. */
function* sorted({ channels }: Pick<Nearest, "channels">, queries: Numbers, rows: Numbers) {
  const bank = rowsOf(rows, channels);
  for (const query of rowsOf(queries, channels)) {
    const rank = (d: number): number => (Number.isNaN(d) ? 2 : d === Infinity ? 1 : 0);
    yield bank
      .map((row, index) => ({ distance: squaredDistance(query, row), index }))
      .sort(
        (a, b) =>
          rank(a.distance) - rank(b.distance) ||
          (rank(a.distance) === 0 ? a.distance - b.distance : 0) ||
          a.index - b.index,
      );
  }
}

export const squaredDistances = (p: Nearest, queries: Numbers, rows: Numbers): Float64Array =>
  Float64Array.from([...sorted(p, queries, rows)].flatMap((all) => all.slice(0, p.k).map(({ distance }) => distance)));

export const indices = (p: Nearest, queries: Numbers, rows: Numbers): Float64Array =>
  Float64Array.from([...sorted(p, queries, rows)].flatMap((all) => all.slice(0, p.k).map(({ index }) => index)));
