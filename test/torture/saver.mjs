// node test/torture/saver.mjs RUN MODEL...   saves the models into the run's folder, in turn until it is
// killed; prints a line after the first
import { loadDetector, openDevice, saveDetector } from "../../dist/node.js";

const [run, ...models] = process.argv.slice(2);
const device = await openDevice();
const detectors = [];
for (const model of models) detectors.push(await loadDetector(device, model));
for (let i = 0; ; i++) {
  await saveDetector(detectors[i % detectors.length], run);
  if (i === 0) console.log("saved");
}
