// A model that an earlier bigrid trained and saved, with what it said of two pictures: files of this version are read
// to the same bits.
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { decodeSafetensors, encodeSafetensors } from "../../src/io/safetensors.ts";
import { configFrom, decodeDetector, encodeDetector, withCalibration } from "../../src/detection/model_file.ts";
import { storedMemoryModel } from "../../src/detection/memory_estimate.ts";
import { InputError } from "../../src/runtime/errors.ts";
import { device } from "../harness/device.ts";
import { madeUpPicture } from "../harness/made_up_detector.ts";
import { inputsOf } from "../harness/inputs.ts";

const file = new Uint8Array(await readFile(new URL("fixtures/version3.safetensors", import.meta.url)));
const ADAPTER = "llvmpipe: Mesa 25.0.7-2~bpo12+1 (LLVM 15.0.6) 0.0.1"; // that it was made on
const SAID = [
  { score: 136.17124938964844, peak: 36.699161529541016, calibrated: 0.10287263371813445, first: 17.744308471679688 },
  { score: 102.0198745727539, peak: 40.76581573486328, calibrated: 0.10055488086110079, first: 20.31498146057129 },
];
const pictures = [madeUpPicture(64, 6), madeUpPicture(80, 7)];

test("a model of version 3 is read, written as one of today that is read to the same bytes, and says the same", async () => {
  const detector = await decodeDetector(device, file, "model");
  const written = await encodeDetector(detector);
  const again = await decodeDetector(device, written, "again");
  expect(await encodeDetector(again)).toEqual(written);
  again.release();
  expect(decodeSafetensors(written, "again").tensors).toEqual(decodeSafetensors(file, "model").tensors);
  const inspections = await detector.inspect(inputsOf(pictures));
  const said = inspections.map(({ score, peak, calibrated, map }) => ({ score, peak, calibrated, first: map[0]! }));
  if (device.adapter.description === ADAPTER) expect(said).toEqual(SAID);
  for (const [i, { score, peak }] of said.entries()) {
    expect(score / SAID[i]!.score).toBeCloseTo(1, 3);
    expect(peak / SAID[i]!.peak).toBeCloseTo(1, 3);
  }
  detector.release();
});

test("calibrated anew it is one of today, with the same scores", async () => {
  const detector = await decodeDetector(device, file, "model");
  const { calibration } = detector.config;
  const stricter = { ...calibration, threshold: calibration.threshold / 2 };
  const again = await decodeDetector(device, await withCalibration(file, stricter, "model"), "again");
  expect(again.config).toEqual({ ...detector.config, calibration: stricter });
  const [before, after] = [await detector.inspect(inputsOf(pictures)), await again.inspect(inputsOf(pictures))];
  expect(after.map(({ score }) => score)).toEqual(before.map(({ score }) => score));
  after.forEach(({ calibrated }, i) => expect(calibrated).toBeGreaterThan(before[i]!.calibrated));
  [detector, again].forEach((one) => one.release());
  await expect(withCalibration(file, { ...calibration, threshold: 0 }, "model")).rejects.toThrow(
    "the model to be written: the configuration in its metadata is not that of a detector: expected calibration.threshold",
  );
});

const { tensors, metadata } = decodeSafetensors(file, "model");
type Json = Record<string, unknown>;
const config = JSON.parse(metadata["config"]!) as Json & { readonly grad: Json; readonly calibration: Json };
const changed = (change: Json): Uint8Array =>
  encodeSafetensors({ tensors, metadata: { ...metadata, config: JSON.stringify({ ...config, ...change }) } });
const grad = (change: Json) => ({ grad: { ...config.grad, ...change } });
const calibration = (change: Json) => ({ calibration: { ...config.calibration, ...change } });

test.each([
  [{ inputSize: 1e9 }, "expected input.size to be a whole number from 1 to 16384, got 1000000000"],
  [{ inputSize: "64" }, 'expected input.size to be a whole number from 1 to 16384, got "64"'],
  [grad({ width: 1e9 }), "grad: expected width to be a whole number from 1 to 16384, got 1000000000"],
  [grad({ channels: 0 }), "grad: expected channels to be a whole number from 1 to 16384, got 0"],
  [grad({ blocks: 1e7 }), "expected blocks to be a whole number from 1 to 1000, got 10000000"],
  [grad({ localGrid: 1e6 }), "expected localGrid to be a whole number from 1 to 1024, got 1000000"],
  [grad({ pairCount: 1e12 }), "expected pairCount to be a whole number from 1 to 1048576"],
  [grad({ similarityThreshold: 0 }), "grad: expected a finite similarityThreshold above 0, got 0"],
  [grad({ paste: {} }), "grad paste: expected walk"],
  [calibration({ threshold: null }), "expected calibration.threshold to be a number above 0 that f32 holds, got null"],
  [calibration({ threshold: 1e39 }), "expected calibration.threshold to be a number above 0 that f32 holds, got 1e+39"],
  [calibration({ threshold: 0 }), "expected calibration.threshold to be a number above 0 that f32 holds, got 0"],
  [
    calibration({ pixelThreshold: -1 }),
    "expected calibration.pixelThreshold to be a number above 0 that f32 holds, got -1",
  ],
  [
    calibration({ classes: { nut: { threshold: 1, typical: 0, pixelThreshold: 1 } } }),
    "expected calibration.classes.nut.typical to be a number above 0 that f32 holds, got 0",
  ],
  [calibration({ heat: [2, 1] }), "expected calibration.heat to be two rising numbers above 0, got [2,1]"],
  [
    calibration({ falseReject: 0.9 }),
    "expected calibration.falseReject to be a number above 0 and at most 0.5, got 0.9",
  ],
  [
    { hinges: { residual: { floor: 0, weight: -1 } } },
    "grad: expected joins to have a finite floor and a weight of at least 0 each, got",
  ],
  [
    { deep: JSON.parse("[".repeat(50) + "]".repeat(50)) as unknown },
    "its JSON nests lists and objects more than 8 deep",
  ],
])("a model file whose configuration has %j is refused with the field", async (change, message) => {
  await expect(decodeDetector(device, changed(change as Json), "m")).rejects.toThrow(message);
  await expect(decodeDetector(device, changed(change as Json), "m")).rejects.toThrow(InputError);
});

test.each([
  [grad({ blocks: 900 }), "tensor normal.decoder.block1"],
  [grad({ localGrid: 1000 }), "expected tensor normal.localGrid to be [1,1000,1000,40], it is [1,2,2,40]"],
  [grad({ globalGrid: 90 }), "expected tensor normal.globalGrid"],
])("the memory of a model with %j is not asked for: its tensors are not so large", async (change, message) => {
  const stored = new Map(
    [...tensors].map(([name, { shape, bytes }]) => [name, { shape, data: new Float32Array(bytes.slice().buffer) }]),
  );
  const model = await configFrom(JSON.stringify({ ...config, ...change }), "m", 3);
  await expect(storedMemoryModel(device, model, stored, "m")).rejects.toThrow(message);
});

test("an image that weights make infinite is no good image: it is not inspected, and that is said", async () => {
  const broken = new Map(
    [...tensors].map(([name, tensor]) => {
      if (!name.startsWith("normal.decoder.out")) return [name, tensor] as const;
      return [
        name,
        { ...tensor, bytes: new Uint8Array(new Float32Array(tensor.bytes.length / 4).fill(3e38).buffer) },
      ] as const;
    }),
  );
  const detector = await decodeDetector(device, encodeSafetensors({ tensors: broken, metadata }), "m");
  const inspected = await detector.inspectEach(inputsOf(pictures));
  for (const outcome of inspected)
    expect(outcome).toEqual({
      reason: expect.stringMatching(
        /^its (map holds|score is) .*check the weights of the model and its backbone/,
      ) as string,
    });
  await expect(detector.inspect(inputsOf(pictures))).rejects.toThrow("image 0 cannot be inspected: its map holds");
  detector.release();
});
