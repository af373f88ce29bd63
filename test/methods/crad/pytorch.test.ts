// CRAD against PyTorch (tools/golden/grad.py): it is the normal grid of GRAD alone, with the published decoder.
import { expect, test } from "vitest";
import { cradConfig } from "../../../src/methods/crad/config.ts";
import { newModel } from "../../../src/methods/crad/fit.ts";
import { gridParameters } from "../../../src/methods/parts/grid_memory.ts";
import { gridOptimizer } from "../../../src/methods/parts/grid_training.ts";
import { Weights } from "../../../src/nn/weights.ts";
import { fromArray, toArray } from "../../../src/tensor/tensor.ts";
import { device } from "../../harness/device.ts";
import { channels, cleanOf, fillMadeUp, GRAD_CASES, grids, MAP, noiseOf, side } from "../../harness/golden_grad.ts";
import { BOUND, expectTraining } from "../../harness/golden_training.ts";
import { difference } from "../../harness/summaries.ts";

const ALONE = GRAD_CASES.filter(({ options }) => options.branches === "normal");

test("there are cases of the normal grid alone, one of them with whole steps of the published decoder", () => {
  expect(ALONE.map(({ name }) => name)).toEqual(["normal", "normal, mobile"]);
  expect(ALONE[1]!.stages.normal!.losses).toHaveLength(10);
});

test.each(ALONE.map((row) => [row.options.decoder!, row] as const))(
  "CRAD with decoder %s has PyTorch's reconstruction, losses, gradients, steps and map",
  async (decoder, { options: { blocks }, reconstruction, stages }) => {
    const want = stages.normal!;
    const config = cradConfig({ height: side, width: side, channels, variance: 24 }, { decoder, blocks, ...grids });
    const modelOf = () => {
      const model = newModel(config, { weights: Weights.drawn(device), seed: 0 });
      fillMadeUp(model.weights);
      return model;
    };
    {
      using _scope = device.scope({ awaits: true });
      const got = modelOf().reconstruct(fromArray(device, MAP, cleanOf(0)), noiseOf(0), "training");
      expect(await difference(got, reconstruction)).toBeLessThan(BOUND);
    }
    const model = modelOf();
    const optimizer = gridOptimizer(gridParameters(model.weights));
    const step = (n: number) => {
      const [features, noise] = [fromArray(device, MAP, cleanOf(n)), noiseOf(n)];
      return { results: () => [model.loss(features, noise)] as const, used: [features, noise] };
    };
    await expectTraining(model.weights, optimizer, want, step, (name) => name.replace(/^memory\./, "normal."));
    if (want.inference) {
      using _scope = device.scope({ awaits: true });
      const features = fromArray(device, MAP, cleanOf(0));
      const inference = model.reconstruct(features, null, "inference");
      expect(await difference(inference, want.inference)).toBeLessThan(BOUND);
      // the map is (1 - s) |r - a| of it
      const [a, r, map] = await Promise.all([features, inference, model.score(features).map].map((x) => toArray(x)));
      map!.forEach((value, i) => {
        const cell = (x: Float32Array) => Array.from(x.subarray(i * channels, (i + 1) * channels));
        const [target, got] = [cell(a!), cell(r!)];
        const dot = (x: number[], y: number[]) => x.reduce((sum, one, c) => sum + one * y[c]!, 0);
        const off = got.map((one, c) => one - target[c]!);
        const cosine = dot(target, got) / Math.sqrt(dot(target, target) * dot(got, got));
        const similarity = (dot(off, off) / channels <= 10 ? 0.3 : 0) + 0.7 * cosine;
        expect(Math.abs(value - (1 - similarity) * Math.sqrt(dot(off, off)))).toBeLessThan(1e-3);
      });
    }
    optimizer.release();
    model.weights.release();
  },
);
