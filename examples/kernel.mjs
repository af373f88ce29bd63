// A kernel by itself, and its gradients:   node examples/kernel.mjs
import { fromArray, valueAndGradients, gridSample, openDevice, requireGrad, toArray } from "bigrid/node";

const device = await openDevice();
const image = requireGrad(fromArray(device, [1, 2, 2, 1], Float32Array.of(1, 2, 3, 4))); // [N, H, W, C]
const grid = requireGrad(fromArray(device, [1, 1, 1, 2], Float32Array.of(0, 0))); // [N, P, Q, (x, y)] in [-1, 1]

const { results, grads } = valueAndGradients(() => [gridSample(image, grid)], [image, grid]);
const [sample, gradImage, gradGrid] = await Promise.all([...results, ...grads].map(toArray));
console.log("the middle", sample); // 2.5: the mean of all four
console.log("d sample / d image", gradImage); // a quarter of each
console.log("d sample / d grid", gradGrid); // 1 along x, 2 along y
process.exit(); // Dawn would keep the process alive
