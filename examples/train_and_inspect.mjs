// From a folder of good images to verdicts on new ones:   node examples/train_and_inspect.mjs FOLDER RUN IMAGE...
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  decodeImage,
  encodeOnnx,
  inspectDataset,
  openDevice,
  saveDetector,
  trainDetector,
  trainingImages,
} from "bigrid/node";

const [folder, run, ...images] = process.argv.slice(2);
const { dataset, survey } = await inspectDataset(folder);
console.log("read as", dataset.layout.title, survey.classes);
for (const { message } of survey.findings) console.log("looks wrong:", message);

const device = await openDevice();
const detector = await trainDetector(device, trainingImages(folder, dataset), {
  inputSize: 64,
  seed: 0,
  onProgress: ({ phase, stage, epoch, loss, secondsLeft }) => {
    if (phase !== "training" || loss === null) return; // a loss comes with every tenth step
    console.log(stage, "epoch", epoch, "loss", loss, Math.round(secondsLeft), "s left");
  },
});
for (const path of images) {
  const [{ calibrated }] = await detector.inspect([{ image: await decodeImage(path) }]);
  console.log(path, calibrated > 0.5 ? "defective" : "good", calibrated);
}
await saveDetector(detector, run); // loadDetector reads it again
await writeFile(join(run, "model.onnx"), await encodeOnnx(detector)); // for onnxruntime and others
process.exit();
