// A kernel and its gradient, in an app of your own: an image is moved until it looks like another one.
import {
  AdamW,
  fromArray,
  valueAndGradients,
  gridSample,
  mseLoss,
  openDevice,
  release,
  requireGrad,
  toArray,
} from "bigrid/browser";

const status = document.getElementById("status")!;
try {
  const device = await openDevice();
  const side = 8;
  const bump = (x0: number, y0: number): Float32Array =>
    Float32Array.from({ length: side * side }, (_, i) =>
      Math.exp(-(((i % side) - x0) ** 2 + (Math.floor(i / side) - y0) ** 2) / 4),
    );
  const image = fromArray(device, [1, side, side, 1], bump(3, 3));
  const target = fromArray(device, [1, side, side, 1], bump(4, 3));
  const at = (i: number): number => (2 * i + 1) / side - 1;
  const places = Float32Array.from({ length: side * side * 2 }, (_, i) =>
    at(i % 2 === 0 ? (i >> 1) % side : Math.floor((i >> 1) / side)),
  );
  const grid = requireGrad(fromArray(device, [1, side, side, 2], places));
  const optimizer = new AdamW([{ parameters: [grid], learningRate: 0.02 }], { weightDecay: 0 });
  const losses: number[] = [];
  for (let step = 0; step < 40; step++) {
    const { results, grads } = valueAndGradients(() => [mseLoss(gridSample(image, grid), target)], [grid]);
    optimizer.step(grads);
    losses.push((await toArray(results[0]))[0]!);
    for (const tensor of [...results, ...grads]) if (tensor) release(tensor);
  }
  status.textContent = `loss ${losses[0]!.toPrecision(3)} -> ${losses.at(-1)!.toPrecision(3)}`;
} catch (error) {
  status.textContent = (error as Error).message;
}
