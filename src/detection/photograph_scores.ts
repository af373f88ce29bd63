import type { Scoring } from "../methods/method.ts";
import type { Cut, Tile, TiledInput } from "./cut.ts";
import type { ReadScores, ScoringProblem } from "./scoring.ts";
import { WholeMap } from "./whole_map.ts";
import { largestOf, wholeScore } from "./whole_score.ts";

/** The scores of a tile, or of a photograph, or why there are none. */
export type ScoresOrProblem = ReadScores | ScoringProblem;

/** The scores of a photograph, put together from those of its tiles. */
class PhotographScores {
  readonly #cut: Cut;
  readonly #input: TiledInput;
  readonly #scoring: Scoring;
  readonly #map: WholeMap;
  #scored: WholeMap | null = null;
  #largest = 0; // of the tiles' scores

  constructor(cut: Cut, input: TiledInput, scoring: Scoring) {
    [this.#cut, this.#input, this.#scoring] = [cut, input, scoring];
    this.#map = this.#wholeMap();
  }

  add({ place, counted }: Tile, { map, score, scored }: ReadScores): void {
    this.#map.add(place, map, counted);
    if (scored) (this.#scored ??= this.#wholeMap()).add(place, scored, counted);
    this.#largest = Math.max(this.#largest, score);
  }

  finish(): ReadScores {
    const { counted, map: size, photograph } = this.#cut;
    const map = this.#map.finish(counted);
    const { image } = this.#scoring;
    const longer = photograph.width > photograph.height ? "width" : "height";
    const tileSide = (this.#input.tiles.tile * size[longer]) / photograph[longer];
    const score =
      image.kind === "cells"
        ? this.#largest
        : wholeScore({ map: this.#scored?.finish(counted) ?? map, size, counted, tileSide }, image);
    return { map, score, peak: largestOf(map), scored: null };
  }

  #wholeMap(): WholeMap {
    const { photograph, map, inParts } = this.#cut;
    return new WholeMap(photograph, this.#input.tiles, this.#input.size, map, inParts);
  }
}

/**
 * Scores a photograph by its tiles. Its score is that of the whole map, by the scoring's own rule; where that is of a
 * model's cells, the largest score of a tile.
 * @param batch tiles that are scored at a time
 * @param score scores some of the tiles; while it reads what it has found, it is called for the next
 * @param onTiles called with the number of tiles that have been scored, after each batch
 * @returns the scores, or the first problem of a tile
 */
export async function scorePhotograph(
  cut: Cut,
  input: TiledInput,
  scoring: Scoring,
  batch: number,
  score: (tiles: readonly Tile[], first: number) => Promise<readonly ScoresOrProblem[]>,
  onTiles: (done: number) => void = () => undefined,
): Promise<ScoresOrProblem> {
  const whole = new PhotographScores(cut, input, scoring);
  /** Adds the tiles from `first` on; returns the first problem. */
  const add = (first: number, reads: readonly ScoresOrProblem[]): ScoringProblem | null => {
    for (const [i, read] of reads.entries()) {
      if ("problem" in read) return read;
      whole.add(cut.tiles[first + i]!, read);
    }
    onTiles(first + reads.length);
    return null;
  };
  let before: Promise<readonly ScoresOrProblem[]> | null = null;
  for (let first = 0; first < cut.tiles.length; first += batch) {
    const reading = score(cut.tiles.slice(first, first + batch), first);
    reading.catch(() => undefined); // awaited below, or of no use after an earlier error
    const problem = before && add(first - batch, await before);
    if (problem) {
      await Promise.allSettled([reading]);
      return problem;
    }
    before = reading;
  }
  return add(Math.floor((cut.tiles.length - 1) / batch) * batch, (await before) ?? []) ?? whole.finish();
}
