import { expect, test } from "vitest";
import { ByteBudget } from "../../src/node/files/byte_budget.ts";

/** Waits until everything that can go ahead has. */
const settled = () => new Promise((done) => setTimeout(done));

test("no more is taken at a time than there is, in order of asking; what is too large goes ahead alone", async () => {
  const budget = new ByteBudget(10);
  const granted: number[] = [];
  const releases: (() => void)[] = [];
  for (const bytes of [6, 5, 1, 30, 2]) {
    void budget.take(bytes).then((release) => {
      granted.push(bytes);
      releases.push(release);
    });
  }
  await settled();
  expect(granted).toEqual([6]);
  releases[0]!();
  releases[0]!(); // once is enough
  await settled();
  expect([granted, budget.inFlight]).toEqual([[6, 5, 1], 6]);
  releases[1]!();
  await settled();
  expect(granted).toHaveLength(3);
  releases[2]!();
  await settled();
  expect([granted, budget.inFlight]).toEqual([[6, 5, 1, 30], 30]);
  releases[3]!();
  await settled();
  expect([granted, budget.inFlight, budget.peak]).toEqual([[6, 5, 1, 30, 2], 2, 30]);
});
