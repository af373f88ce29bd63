// Progress of a photograph that is scored by its tiles.
import { expect, test } from "vitest";
import { cutOf, type TiledInput } from "../../src/detection/cut.ts";
import { scorePhotograph, type ScoresOrProblem } from "../../src/detection/photograph_scores.ts";

const SIZE = 16;
const input: TiledInput = { size: SIZE, resize: "stretch", tiles: { tile: 32, overlap: 0 } };
const scoring = { alignCorners: true, smoothing: null, image: { kind: "max" } } as const;

/** Scores a photograph of so many tiles; the nth of them has a problem. */
async function scored(columns: number, batch: number, broken = -1) {
  const events: string[] = [];
  const cut = cutOf({ width: 32 * columns, height: 32 }, null, input);
  const score = (tiles: readonly object[], first: number): Promise<ScoresOrProblem[]> => {
    events.push(`score ${first}`);
    const map = new Float32Array(SIZE * SIZE).fill(1);
    return Promise.resolve(
      tiles.map((_, i) =>
        first + i === broken ? { problem: "its score is NaN" } : { map, score: 1, peak: 1, scored: null },
      ),
    );
  };
  const result = await scorePhotograph(cut, input, scoring, batch, score, (done) => events.push(`done ${done}`));
  return { events, result };
}

test("is told after each batch of tiles, while the next is under way", async () => {
  const { events, result } = await scored(9, 4);
  expect(events).toEqual(["score 0", "score 4", "done 4", "score 8", "done 8", "done 9"]);
  expect(result).toMatchObject({ score: 1 });
});

test("is told once for a photograph of one batch", async () => {
  expect((await scored(4, 4)).events).toEqual(["score 0", "done 4"]);
});

test("ends at a tile with a problem", async () => {
  const { events, result } = await scored(9, 4, 5);
  expect(events).toEqual(["score 0", "score 4", "done 4", "score 8"]);
  expect(result).toEqual({ problem: "its score is NaN" });
});
