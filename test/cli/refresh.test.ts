import { expect, test } from "vitest";
import { Refresh } from "../../src/cli/predict/refresh.ts";

test("whatever changes while it is written or rested from is written in one go; ending waits for no rest", async () => {
  let value = 0;
  const written: number[] = [];
  const refresh = new Refresh(
    async () => {
      const now = value;
      await new Promise((resolve) => setTimeout(resolve, 5));
      written.push(now);
    },
    () => expect.unreachable(),
  );
  for (value = 1; value <= 10; value++) refresh.changed();
  while (written.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  refresh.changed();
  await refresh.end();
  expect(written).toEqual([1, 11]);
});

test("what writing throws is told at once and thrown at the end, and nothing is written after it", async () => {
  let [attempts, told] = [0, 0];
  const refresh = new Refresh(
    () => (attempts++, Promise.reject(new Error("the disk is full"))),
    () => told++,
  );
  refresh.changed();
  while (told === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  refresh.changed();
  await expect(refresh.end()).rejects.toThrow("the disk is full");
  expect([attempts, told]).toEqual([1, 1]);
});
