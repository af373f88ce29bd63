// RIAD against PyTorch (tools/golden/riad.py): the same made-up weights, images and hidden squares.
import { expect, test } from "vitest";
import { gridShape, hiddenPixels, PASSES } from "../../../src/methods/riad/cells.ts";
import { riadConfig } from "../../../src/methods/riad/config.ts";
import { optimizerOf } from "../../../src/methods/riad/fit.ts";
import { RiadModel } from "../../../src/methods/riad/model.ts";
import { Weights } from "../../../src/nn/weights.ts";
import { countOf, fromArray, toArray, type Shape, type Tensor } from "../../../src/tensor/tensor.ts";
import golden from "../../golden/riad.json";
import { device } from "../../harness/device.ts";
import { BOUND, expectTraining } from "../../harness/golden_training.ts";
import { uniform } from "../../harness/made_up_network.ts";
import { difference, hashed } from "../../harness/summaries.ts";

const { batch, height, width, channels, baseWidth } = golden.sizes;
const CELL_SIZES = golden.cellSizes as [number, number, number, number];
const [WEIGHT_KEY, IMAGE_KEY, PASS_KEY, SCORED_KEY] = [1, 5140, 6000, 7000];
const EXTENTS = { height, width };

/** A made-up tensor's values, of hashed numbers. */
function madeUp(name: string, shape: Shape, numbers: Float32Array): Float32Array {
  const half = numbers.length / 2;
  if (name.endsWith(".affine")) return numbers.map((u, i) => (i < half ? 1 + 0.5 * u : 0.2 * u));
  if (name.endsWith(".running")) return numbers.map((u, i) => (i < half ? 0.1 * u : 1 + 0.5 * u));
  if (name.endsWith(".bias")) return numbers.map((u) => 0.2 * u);
  const [r, s, inputs, last] = shape as [number, number, number, number];
  // of a doubling's windows every output sees four taps
  const summed = name.endsWith(".double.weight") ? 4 * last : r * s * inputs;
  return numbers.map((u) => u * Math.sqrt(3 / summed));
}

/** The pass that hides each cell: the third of [-1, 1) that a hashed number falls into. */
const passesOf = (cellSize: number, key: number): Tensor =>
  hashed(gridShape(EXTENTS, cellSize), key, (u) => Math.floor(1.5 * (u + 1)));

function modelOf(): RiadModel {
  const config = riadConfig({ height, width, channels }, { baseWidth, cellSizes: CELL_SIZES });
  const model = new RiadModel(Weights.drawn(device), config, 0);
  const { parameters, states } = model.weights;
  const ofNetwork = [...parameters, ...states].filter(([name]) => name.startsWith("unet."));
  ofNetwork
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .forEach(([name, { allocation, shape }], i) =>
      device.write(allocation.buffer, madeUp(name, shape, uniform(countOf(shape), WEIGHT_KEY + i))),
    );
  for (const cellSize of CELL_SIZES) {
    const { allocation, shape } = states.get(`passes.${cellSize}`)!;
    const numbers = uniform(countOf(shape), SCORED_KEY + cellSize);
    device.write(
      allocation.buffer,
      numbers.map((u) => Math.floor(1.5 * (u + 1))),
    );
  }
  return model;
}

/** Smooth waves and some noise. */
function imagesOf(step: number): Tensor {
  const shape = [batch, height, width, channels];
  const noise = uniform(countOf(shape), IMAGE_KEY + step);
  const values = noise.map((u, i) => {
    const [c, x] = [i % channels, Math.floor(i / channels) % width];
    const [y, n] = [Math.floor(i / channels / width) % height, Math.floor(i / channels / width / height)];
    return 0.6 * Math.sin(0.3 * x + 0.2 * y + n + c + step) + 0.3 * u;
  });
  return fromArray(device, shape, values);
}

async function expectMap(model: RiadModel, want: typeof golden.map, when: string): Promise<void> {
  using _scope = device.scope({ awaits: true });
  expect(await difference(model.score(imagesOf(0)).map, want), `the map ${when}`).toBeLessThan(BOUND);
}

test("RIAD has PyTorch's losses and their parts, gradients, Adam's steps, running statistics and maps", async () => {
  const model = modelOf();
  const optimizer = optimizerOf(model, golden);
  await expectMap(model, golden.mapBefore, "before training");
  const parts: Promise<Float32Array>[][] = [];
  expect(golden.losses).toHaveLength(10);
  await expectTraining(model.weights, optimizer, golden, (step) => {
    const cellSize = CELL_SIZES[step % CELL_SIZES.length]!;
    const [images, passes] = [imagesOf(step), passesOf(cellSize, PASS_KEY + step)];
    const hidden = hiddenPixels(passes, cellSize, EXTENTS);
    expect(hidden).toHaveLength(PASSES);
    return {
      results: () => {
        const all = model.losses(images, hidden, golden.lossWeights);
        parts.push(all.slice(1).map((part) => toArray(part)));
        return all;
      },
      used: [images, passes, ...hidden],
    };
  });
  for (const [step, wanted] of golden.parts.entries()) {
    const got = await Promise.all(parts[step]!);
    wanted.forEach((part, i) =>
      expect(Math.abs(got[i]![0]! / part - 1), `part ${i} of step ${step}`).toBeLessThan(BOUND),
    );
  }
  await expectMap(model, golden.map, "after training");
  model.weights.freeze();
  await expectMap(model, golden.map, "of folded norms");
  optimizer.release();
  model.weights.release();
});
