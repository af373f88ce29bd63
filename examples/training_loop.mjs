// A training loop of one's own: a convolution learns a blur from examples.   node examples/training_loop.mjs
import {
  AdamW,
  conv2d,
  fromArray,
  gaussianBlur,
  valueAndGradients,
  mseLoss,
  openDevice,
  requireGrad,
  toArray,
  uniform,
} from "bigrid/node";

const STEPS = 200;
const device = await openDevice();
const weight = requireGrad(fromArray(device, [3, 3, 1, 1], new Float32Array(9))); // [R, S, C, K]
const optimizer = new AdamW([{ parameters: [weight], learningRate: 0.02 }], { weightDecay: 0 });

for (let step = 0; step < STEPS; step++) {
  const scope = device.scope(); // what this step makes; TypeScript and newer engines say `using scope = device.scope()`
  const images = uniform(device, [4, 16, 16, 1], { seed: 0, stream: 0, step });
  const blurred = gaussianBlur(images, { size: 3, sigma: 0.8, border: "zeros" });
  const { results, grads } = valueAndGradients(
    () => [mseLoss(conv2d(images, weight, { padding: 1 }), blurred)],
    [weight],
  );
  optimizer.step(grads);
  if (step % 50 === 0 || step === STEPS - 1)
    toArray(results[0]).then(([loss]) => console.log("step", step, "loss", loss));
  scope[Symbol.dispose](); // gives it back to the pool
}
console.log("weight", await toArray(weight)); // 0.239 0.522 0.239 down and across, multiplied
process.exit();
