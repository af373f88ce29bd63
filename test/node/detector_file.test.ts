import { expect, test } from "vitest";
import { loadDetector, saveDetector } from "../../src/node/detector_file.ts";
import { device } from "../harness/device.ts";
import { madeUpDetector } from "../harness/made_up_detector.ts";
import { temporaryFolder } from "../harness/temporary.ts";

const folder = await temporaryFolder();
const reason = new Error("enough");

test("an AbortSignal ends loading at its start and after the model is read, and leaves nothing on the device", async () => {
  const detector = await madeUpDetector(device, 64, { decoder: "tiny" });
  await saveDetector(detector, folder);
  detector.release();
  const before = device.memory().allocations;
  await expect(loadDetector(device, "nosuchrun", { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  const controller = new AbortController();
  const loading = loadDetector(device, folder, { signal: controller.signal });
  controller.abort(reason); // it is reading
  await expect(loading).rejects.toBe(reason);
  expect(device.memory().allocations).toBe(before);
  (await loadDetector(device, folder, { signal: new AbortController().signal })).release();
});
