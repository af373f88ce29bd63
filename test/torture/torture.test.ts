import { expect, test } from "vitest";
import { openDevice } from "../../src/node/device.ts";
import { temporaryFolder } from "../harness/temporary.ts";
import { endurance, growthIn } from "./endurance.ts";
import { fullDisk, standardOutput } from "./outputs.ts";
import { Torture } from "./torture.ts";
import { canUnshare, starting, writers } from "./writers.ts";

const KILLS = 2; // of each: npm run torture does a hundred

test("training, watching and saving survive being killed at random moments", async () => {
  const torture = await Torture.begin(await temporaryFolder(), 5);
  expect(await torture.training(KILLS)).toMatchObject({ kills: KILLS });
  expect(await torture.watching(KILLS)).toEqual({ kills: KILLS, done: 2 * KILLS });
  expect(await torture.saving(KILLS)).toMatchObject({ kills: KILLS });
});

test("starts, rivals, full disks and closed outputs leave nothing lost, wrong or half written", async () => {
  const torture = await Torture.begin(await temporaryFolder(), 6);
  expect(await starting(torture, KILLS)).toMatchObject({ kills: KILLS });
  expect(await writers(torture, 1, false)).toMatchObject({ rounds: 1 });
  if (canUnshare) expect(await writers(torture, 1, true)).toMatchObject({ rounds: 1 });
  const disks = await fullDisk(torture, 4);
  if (disks) expect(disks).toMatchObject({ rounds: 4 });
  expect(await standardOutput(torture, 6)).toMatchObject({ rounds: 6 });
});

test("device memory does not grow with steps and predictions, and what grows is told", async () => {
  const device = await openDevice();
  const records = await endurance(device, 60, 20, () => undefined);
  device.destroy();
  expect(records.map(({ what, count }) => `${count} ${what}`)).toEqual([
    ...Array.from({ length: 10 }, (_, i) => `${6 * (i + 1)} steps`),
    ...Array.from({ length: 10 }, (_, i) => `${2 * (i + 1)} predictions`),
  ]);
  const flat = records.map((record) => ({ ...record, resident: 1 }));
  expect(growthIn(flat)).toEqual([]);
  const last = flat.at(-1)!;
  expect(growthIn([...flat.slice(0, -1), { ...last, device: last.device + 1 }])).toEqual([
    expect.stringMatching(/^predictions: device memory from/),
  ]);
  expect(growthIn([...flat.slice(0, -1), { ...last, resident: 2 }])).toEqual([
    "predictions: the process from 1 to 2 bytes",
  ]);
});
