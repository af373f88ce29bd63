import { InferenceSession, Tensor } from "onnxruntime-node";
import { expect } from "vitest";
import type { DecodedImage } from "../../src/io/image.ts";
import type { Detector } from "../../src/detection/detector.ts";
import type { Inspection } from "../../src/detection/inspection.ts";
import { encodeOnnx } from "../../src/onnx/encode_onnx.ts";
import { inputsOf } from "../harness/inputs.ts";

/** Runs pictures of the model's input size through onnxruntime, on the CPU. */
export async function runOnnx(
  session: InferenceSession,
  pictures: readonly DecodedImage[],
  channels: 3 | 4 = 3,
): Promise<Record<string, Float32Array>> {
  const [{ width, height }] = pictures as [DecodedImage];
  const bytes = Uint8Array.from(pictures.flatMap(({ data }) => [...data].filter((_, i) => i % 4 < channels)));
  const outputs = await session.run({ image: new Tensor("uint8", bytes, [pictures.length, height, width, channels]) });
  return Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, data as Float32Array]));
}

/** The exported detector, ready to run. */
export const sessionOf = async (detector: Detector): Promise<InferenceSession> =>
  InferenceSession.create(await encodeOnnx(detector), { executionProviders: ["cpu"] });

/** The largest relative differences, of maps to their own peak. */
export function differencesOf(outputs: Record<string, Float32Array>, inspections: readonly Inspection[]) {
  const largest = (pairs: readonly (readonly [got: number, want: number])[]): number =>
    Math.max(...pairs.map(([got, want]) => Math.abs(got - want) / Math.abs(want)));
  const { map, score, peak, calibrated } = outputs as Record<"map" | "score" | "peak" | "calibrated", Float32Array>;
  return {
    score: largest(inspections.map((one, i) => [score[i]!, one.score])),
    peak: largest(inspections.map((one, i) => [peak[i]!, one.peak])),
    calibrated: largest(inspections.map((one, i) => [calibrated[i]!, one.calibrated])),
    map: Math.max(
      ...inspections.map(
        (one, i) =>
          one.map.reduce((most, want, at) => Math.max(most, Math.abs(map[i * one.map.length + at]! - want)), 0) /
          one.peak,
      ),
    ),
  };
}

const BOUND = 1e-4;

/** Holds an exported detector against the detector itself, and a batch against its parts. */
export async function expectSameScores(detector: Detector, pictures: readonly DecodedImage[]): Promise<void> {
  const session = await sessionOf(detector);
  const inspections = await detector.inspect(inputsOf(pictures));
  expectClose(differencesOf(await runOnnx(session, pictures), inspections));
  expectClose(differencesOf(await runOnnx(session, pictures.slice(0, 1)), inspections.slice(0, 1)));
  await session.release();
}

export function expectClose(differences: Readonly<Record<string, number>>): void {
  for (const [name, difference] of Object.entries(differences))
    expect(difference <= BOUND, `${name} differs by ${difference}`).toBe(true);
}
