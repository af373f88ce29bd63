// docs/onnx.md's Python program as it stands there, on a stand-in for onnxruntime's Python package: see python/onnxruntime.py.
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { expect, test } from "vitest";
import { decodeImage } from "../../src/node/images.ts";
import { encodeOnnx } from "../../src/onnx/encode_onnx.ts";
import { FITS } from "../../src/io/placement.ts";
import { device } from "../device.ts";
import { madeUpDetector, madeUpPicture } from "../made_up_detector.ts";
import { temporaryFolder } from "../temporary.ts";

const PYTHON = ["/usr/bin/python3", "python3"].find((python) => spawnSync(python, ["-c", "import numpy, onnx, PIL"]).status === 0);
const STAND_IN = new URL("./python", import.meta.url).pathname;
const [, program] = /```python\n([^]*?)```/.exec(readFileSync(new URL("../../docs/onnx.md", import.meta.url), "utf8"))!;
const folder = await temporaryFolder();

test.skipIf(PYTHON === undefined).each(FITS)("the Python program prepares photographs and reads results as bigrid does: %s", async (fit) => {
  const at = (name: string) => join(folder, fit, name);
  await mkdir(at(""), { recursive: true });
  const detector = await madeUpDetector(device, 64, { decoder: "tiny" }, null, fit);
  await writeFile(at("model.onnx"), await encodeOnnx(detector));
  const { data, width, height } = madeUpPicture(150, 4);
  // Without losses, whatever its name says: decoders of JPEG may differ in a bit.
  await sharp(data, { raw: { width, height, channels: 4 } }).extract({ left: 0, top: 10, width: 150, height: 91 }).png().toFile(at("photo.jpg"));
  const [inspection] = await detector.inspect([await decodeImage(at("photo.jpg"))]);
  const said = execFileSync(PYTHON!, ["-c", program!], { cwd: at(""), env: { ...process.env, PYTHONPATH: STAND_IN }, encoding: "utf8" });
  const [, verdict, calibrated, peak] = /^(good|defective) ([\d.e-]+), peak ([\d.e-]+) at \d+,\d+\n$/.exec(said)!;
  expect(verdict).toBe(inspection!.calibrated > 0.5 ? "defective" : "good");
  expect(Math.abs(Number(calibrated) / inspection!.calibrated - 1)).toBeLessThan(1e-4);
  expect(Math.abs(Number(peak) / inspection!.peak - 1)).toBeLessThan(1e-4);
  detector.release();
});
