import { describe, expect, test } from "vitest";
import { perlinMask } from "../../src/ops/perlin_mask.ts";
import { OptionError } from "../../src/runtime/errors.ts";
import { toArray, zeros } from "../../src/tensor/tensor.ts";
import { describeOperation } from "../harness/describe_operation.ts";
import { device } from "../harness/device.ts";
import { poison } from "../harness/operation.ts";
import { perlinMaskOperation } from "../operations/perlin_mask.ts";
import { noiseOf, type Problem } from "../reference/perlin_mask.ts";

describeOperation(perlinMaskOperation);

const DRAW = { seed: 9, stream: 5, step: 3 };
const NEAR = 4e-3; // WGSL allows cos and sin an absolute error of 2^-11; four ramps of length up to sqrt(2), times sqrt(2)

const maskOf = (p: Problem, threshold: number): Promise<Float32Array> =>
  toArray(perlinMask(device, [p.batch, p.height, p.width], p, { threshold, cleanShare: p.cleanShare }));

describe("a Perlin mask is as defined", () => {
  test.each([
    ["maps of GRAD's size", { batch: 3, height: 28, width: 28, levels: 4, cleanShare: 0 }],
    ["few cells, wider than high", { batch: 4, height: 5, width: 9, levels: 2, cleanShare: 0 }],
    ["one cell", { batch: 5, height: 1, width: 1, levels: 1, cleanShare: 0 }],
    ["large maps, whose lattices have a limit", { batch: 1, height: 66, width: 72, levels: 6, cleanShare: 0 }],
    ["half of the images clean", { batch: 24, height: 7, width: 7, levels: 2, cleanShare: 0.5 }],
  ])("%s", async (_why, extents) => {
    const p = { ...extents, ...DRAW };
    const noise = Array.from({ length: p.batch }, (_, image) => noiseOf(p, image));
    for (const threshold of [-0.3, 0, 0.2, 0.6]) {
      poison();
      const mask = await maskOf(p, threshold);
      let near = 0;
      mask.forEach((marked, i) => {
        const [image, cell] = [Math.floor(i / (p.height * p.width)), i % (p.height * p.width)];
        const value = noise[image]?.[cell] ?? -Infinity;
        if (Math.abs(value - threshold) < NEAR) near++;
        else expect(marked, `cell ${cell} of image ${image}, noise ${value}`).toBe(value > threshold ? 1 : 0);
      });
      expect(near).toBeLessThanOrEqual(Math.max(1, 0.05 * mask.length));
      expect(await maskOf(p, threshold)).toEqual(mask);
    }
  });

  test("some images are clean and others are not, in their share", () => {
    const p = { batch: 400, height: 4, width: 4, levels: 1, cleanShare: 0.25, ...DRAW };
    const clean = Array.from({ length: p.batch }, (_, image) => noiseOf(p, image)).filter((noise) => !noise);
    expect(Math.abs(clean.length / p.batch - 0.25)).toBeLessThan(0.07); // three standard deviations
  });
});

test("marks are others in another step, which a captured draw reads from its tensor", async () => {
  const step = zeros(device, [1], "u32");
  const draw = (step: number) => toArray(perlinMask(device, [6, 14, 14], { ...DRAW, step }));
  const { program, result } = device.capture(() => perlinMask(device, [6, 14, 14], { ...DRAW, step }));
  for (const number of [0, 7]) {
    device.write(step.allocation.buffer, Uint32Array.of(number));
    program.run();
    expect(await toArray(result)).toEqual(await draw(number));
  }
  expect(await draw(7)).not.toEqual(await draw(0));
  program.release();
});

test("refuses another shape, and options out of range", () => {
  expect(() => perlinMask(device, [3, 4], DRAW)).toThrow("perlinMask: expected shape [N,H,W], got [3,4]");
  expect(() => perlinMask(device, [3, 4, 0], DRAW)).toThrow("perlinMask: expected shape [N,H,W] to be whole numbers");
  expect(() => perlinMask(device, [1, 4, 4], DRAW, { threshold: NaN })).toThrow(
    "perlinMask: expected a finite threshold, got NaN",
  );
  expect(() => perlinMask(device, [1, 4, 4], DRAW, { cleanShare: 1.5 })).toThrow(
    "perlinMask: expected cleanShare from 0 to 1, got 1.5",
  );
  expect(() => perlinMask(device, [1, 4, 4], { ...DRAW, seed: -1 })).toThrow(OptionError);
});
