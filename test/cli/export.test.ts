import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { InferenceSession } from "onnxruntime-node";
import { expect, test } from "vitest";
import { saveDetector } from "../../src/node/detector_file.ts";
import { device } from "../harness/device.ts";
import { madeUpDetector, madeUpPicture } from "../harness/made_up_detector.ts";
import { differencesOf, expectClose, runOnnx } from "../onnx/onnxruntime.ts";
import { temporaryFolder } from "../harness/temporary.ts";
import { bigrid } from "./program.ts";
import { inputsOf } from "../harness/inputs.ts";

const folder = await temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);
const detector = await madeUpDetector(device, 64, { decoder: "tiny" });
await saveDetector(detector, folder);

test("export writes a file that onnxruntime runs, and says what goes in and comes out", async () => {
  const { code, stdout, stderr } = await bigrid(["export", folder, "--out", at("new", "model.onnx")]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(/model\.onnx: method grad on embedded, \d+\.\d MB, ONNX opset 16\n/);
  const session = await InferenceSession.create(at("new", "model.onnx"));
  const pictures = [madeUpPicture(64, 1)];
  expectClose(differencesOf(await runOnnx(session, pictures), await detector.inspect(inputsOf(pictures))));
  const again = await bigrid(["export", folder, "--out", at("again.onnx"), "--json"]);
  const file = await readFile(at("again.onnx"));
  expect(JSON.parse(again.stdout)).toEqual({
    model: at("again.onnx"),
    bytes: file.length,
    inputSize: 64,
    threshold: detector.config.calibration.threshold,
  });
  expect(file.equals(await readFile(at("new", "model.onnx")))).toBe(true);
});

test("no run, and nowhere to write, end in one line", async () => {
  const none = await bigrid(["export", at("none"), "--out", at("x.onnx")]);
  expect(none).toMatchObject({
    code: 1,
    stdout: "",
    stderr: `bigrid: cannot read the run ${at("none")}: it does not exist; a run is a folder that "bigrid train" wrote\n`,
  });
  await writeFile(at("file"), "");
  const blocked = await bigrid(["export", folder, "--out", at("file", "x.onnx")]);
  expect(blocked.code).toBe(1);
  expect(blocked.stderr).toMatch(/^bigrid: cannot write .*x\.onnx: a part of the path is a file, not a folder .*\n$/);
});
