import { expect, test } from "vitest";
import { createBackbone } from "../../src/backbones/registry.ts";
import { ChannelStatistics, extractorFor, FeatureMaker } from "../../src/detection/features.ts";
import { grad } from "../../src/methods/grad/method.ts";
import type { FeatureAssembly } from "../../src/methods/method.ts";
import { fromArray, toArray } from "../../src/tensor/tensor.ts";
import { rng } from "../harness/bounds.ts";
import { device } from "../harness/device.ts";

const VARIANCE = 24; // that GRAD's constants are stated for
const POSITIONS = 500;

const backbone = await createBackbone(device, "embedded", { inputSize: 64 });
const assembly = grad.assembly({}, backbone) as FeatureAssembly;
const makerOf = (standardise: typeof assembly.standardise) =>
  new FeatureMaker(device, backbone, { ...assembly, standardise }, "stretch");
const { channels } = makerOf(null).extents;
const random = rng(3);
/** Channels of means from -40 to 40 and of deviations from 0.01 to 100; the last is 7 everywhere. */
const features = Float32Array.from({ length: POSITIONS * channels }, (_, i) => {
  const c = i % channels;
  if (c === channels - 1) return 7;
  return ((c * 17) % 81) - 40 + 10 ** ((c % 5) - 2) * (random() - 0.5) * Math.sqrt(12);
});
const statistics = new ChannelStatistics(channels);
statistics.add(features);

/** Mean and variance of each channel. */
function momentsOf(values: Float32Array): { readonly mean: number; readonly variance: number }[] {
  return Array.from({ length: channels }, (_, c) => {
    const own = values.filter((_value, i) => i % channels === c);
    const mean = own.reduce((sum, value) => sum + value, 0) / own.length;
    return { mean, variance: own.reduce((sum, value) => sum + (value - mean) ** 2, 0) / own.length };
  });
}

test("channels of one scale lie 0.7 deviations from zero; one that never varies is no noise", async () => {
  const { extractor, variance, std } = extractorFor(device, makerOf(assembly.standardise), statistics);
  const moments = momentsOf(await toArray(extractor.standardise(fromArray(device, [POSITIONS, channels], features))));
  const units = await toArray(std);
  expect(variance).toBe(VARIANCE);
  moments.forEach((own, c) => {
    const { mean } = own;
    const unit = Math.sqrt(own.variance);
    expect(mean).toBeCloseTo(0.7 * Math.sqrt(VARIANCE), 1);
    expect(units[c]).toBeCloseTo(unit, 1);
    // Beside the others' variance of up to 10000, that of 0.01 counts as hardly any.
    const raw = statistics.variances[c]!;
    const floor = (1e-4 * statistics.variances.reduce((sum, v) => sum + v, 0)) / channels;
    expect(unit).toBeCloseTo(Math.sqrt((VARIANCE * raw) / (raw + floor)), 1);
  });
  expect(moments.at(-1)!.variance).toBeLessThan(1e-3);
});

test("features that need no common scale stay as they are", async () => {
  const { extractor, variance } = extractorFor(device, makerOf(null), statistics);
  expect(await toArray(extractor.standardise(fromArray(device, [POSITIONS, channels], features)))).toEqual(features);
  expect(variance).toBeCloseTo(statistics.variances.reduce((sum, v) => sum + v, 0) / channels, 6);
});
