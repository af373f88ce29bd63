// How well a detector tells good from defective, on a dataset with labels:   node examples/evaluate.mjs RUN FOLDER
import { evaluateDetector, loadDetector, openDevice, readDataset, testImages } from "bigrid/node";

const [run, folder] = process.argv.slice(2);
const detector = await loadDetector(await openDevice(), run);
const { classes, mean } = await evaluateDetector(detector, testImages(folder, await readDataset(folder)));
for (const [name, { imageAuroc, pixelAuroc }] of Object.entries({ ...classes, mean }))
  console.log(name, { imageAuroc, pixelAuroc });
process.exit();
