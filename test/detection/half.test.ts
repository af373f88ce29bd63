import { describe, expect, test } from "vitest";
import { decodeDetector, encodeDetector } from "../../src/detection/model_file.ts";
import type { Inspection } from "../../src/detection/inspection.ts";
import { encodeOnnx } from "../../src/onnx/encode_onnx.ts";
import { openDevice } from "../../src/node/device.ts";
import { device } from "../harness/device.ts";
import { madeUpDetector, madeUpPicture, type MadeUpNetwork } from "../harness/made_up_detector.ts";
import { inputsOf } from "../harness/inputs.ts";

const SIZE = 96;
const pictures = [0, 1, 2].map((i) => madeUpPicture(SIZE, i));
const B0: MadeUpNetwork = { name: "efficientnet-b0", padding: "same" };

describe.skipIf(!device.gpu.features.has("shader-f16"))("in half precision", () => {
  test.each([
    ["embedded, tiny", { decoder: "tiny" }, null],
    ["embedded, mobile", { decoder: "mobile", blocks: 2 }, null],
    ["embedded, basic, as published", { form: "published", decoder: "basic", blocks: 1 }, null],
    ["efficientnet-b0, tiny", { decoder: "tiny" }, B0],
  ] as const)("%s: scores and maps are within a hundredth of those in full", async (_name, options, network) => {
    const inspect = async (half: boolean): Promise<Inspection[]> => {
      const detector = await madeUpDetector(device, SIZE, options, network, "stretch", { half });
      const inspections = await detector.inspect(inputsOf(pictures));
      detector.release();
      return inspections;
    };
    const [full, half] = [await inspect(false), await inspect(true)];
    expect(half.map(({ score }) => score)).not.toEqual(full.map(({ score }) => score));
    half.forEach(({ score, peak, map }, i) => {
      const expected = full[i]!;
      expect(Math.abs(score / expected.score - 1)).toBeLessThan(1e-2);
      expect(Math.abs(peak / expected.peak - 1)).toBeLessThan(1e-2);
      map.forEach((value, at) => expect(Math.abs(value - expected.map[at]!)).toBeLessThan(1e-2 * expected.peak));
    });
  });

  test("a detector cannot be written or exported, and gives all storage back", async () => {
    const file = await encodeDetector(await madeUpDetector(device, SIZE, { decoder: "tiny" }));
    const before = device.memory().allocations;
    const half = await decodeDetector(device, file, "made up", { half: true });
    await expect(encodeDetector(half)).rejects.toThrow(
      "loaded in half precision, the detector has no f32 weights to save: load it without `half`",
    );
    await expect(encodeOnnx(half)).rejects.toThrow("half precision; load it in full");
    half.release();
    expect(device.memory().allocations).toBe(before);
  });
});

test("a device without f16 refuses half precision", async () => {
  const minimal = await openDevice({ minimal: true });
  await expect(madeUpDetector(minimal, SIZE, { decoder: "tiny" }, null, "stretch", { half: true })).rejects.toThrow(
    /^half precision needs the feature shader-f16, which .+ lacks; do without it$/,
  );
  minimal.destroy();
});
