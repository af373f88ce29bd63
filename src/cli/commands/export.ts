import type { Command } from "commander";
import { sightOf } from "../../detection/assembly.ts";
import { loadDetector, modelPath } from "../../node/detector_file.ts";
import { openDevice } from "../../node/device.ts";
import { writeFileAtomic } from "../../node/files/files.ts";
import { encodeOnnx } from "../../onnx/encode_onnx.ts";
import { WEIGHTS_HELP } from "../flags/options.ts";
import { MEGABYTE, print } from "../terminal/say.ts";
import { claimShown } from "../terminal/shown_outputs.ts";

interface ExportFlags {
  readonly out: string;
  readonly weights?: string;
  readonly json?: boolean;
}

export function addExport(program: Command): void {
  program
    .command("export")
    .description("write a trained model with its backbone as ONNX, for onnxruntime and others")
    .argument("<run>", "folder that train wrote")
    .requiredOption("--out <file>", "the ONNX file")
    .option("--weights <file>", WEIGHTS_HELP)
    .option("--json", "one JSON object: {model, bytes, inputSize, threshold}")
    .action(async (run: string, { out, weights, json }: ExportFlags) => {
      await modelPath(run);
      await using _claim = await claimShown({ files: [out] }, json && "--json");
      const detector = await loadDetector(await openDevice(), run, { weights });
      const file = await encodeOnnx(detector);
      await writeFileAtomic(out, file);
      const {
        input: { size: inputSize, tiles },
        method,
        calibration,
      } = detector.config;
      if (json)
        return print(JSON.stringify({ model: out, bytes: file.length, inputSize, threshold: calibration.threshold }));
      print(
        `${out}: method ${method.name} on ${sightOf(detector.config)}, ${(file.length / MEGABYTE).toFixed(1)} MB, ONNX opset 16`,
      );
      if (tiles)
        print(
          `tiles  each image is a tile of ${tiles.tile} x ${tiles.tile} pixels of a photograph, of which neighbours share ${tiles.overlap}; "bigrid docs onnx" has a Python program that cuts photographs and scores them`,
        );
      print(
        `takes  image: bytes of ${tiles ? "tiles" : "photographs"}, resized to ${inputSize} x ${inputSize} as its metadata says; any number at a time`,
      );
      print(
        "gives  calibrated: above 0.5 a photograph is called defective; map: where; score, peak: in the method's units",
      );
      print('more   "bigrid docs onnx" has a Python program that runs it');
    });
}
