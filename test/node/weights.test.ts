import { readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { encodeSafetensors, toFloat32, type StoredTensor } from "../../src/io/safetensors.ts";
import { efficientNet } from "../../src/backbones/efficientnet.ts";
import { loadNetwork } from "../../src/backbones/network.ts";
import { openWeights } from "../../src/node/weights.ts";
import { InputError } from "../../src/runtime/errors.ts";
import { RandomStream } from "../../src/tensor/random.ts";
import { fromArray, release, toArray } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";
import { madeUp, uniform } from "../harness/made_up_network.ts";
import { temporaryFolder } from "../harness/temporary.ts";

const folder = await temporaryFolder();
const NETWORK = efficientNet("efficientnet-b0");
const STAGES = NETWORK.stages.slice(1, 2);

type Edit = (tensor: StoredTensor) => StoredTensor;

/** Made-up weights of the blocks up to layer 2, as a file. */
async function written(name: string, edit: (tensor: StoredTensor, name: string) => StoredTensor): Promise<string> {
  const weights = madeUp("efficientnet-b0");
  const tensors = new Map<string, StoredTensor>();
  for (const key of weights.shapes.keys())
    if (/^features\.[0-3]\./.test(key)) tensors.set(key, edit(await weights.read(key), key));
  const path = join(folder, name);
  await writeFile(path, encodeSafetensors({ tensors, metadata: {} }));
  return path;
}

const bitsOf = ({ bytes }: StoredTensor): Uint32Array => new Uint32Array(bytes.slice().buffer);
const asBf16: Edit = (tensor) => ({
  dtype: "BF16",
  shape: tensor.shape,
  bytes: new Uint8Array(Uint16Array.from(bitsOf(tensor), (bits) => bits >>> 16).buffer),
});
/** Towards zero, for numbers that f16 has as normal ones; smaller ones become 0. */
const asF16: Edit = (tensor) => ({
  dtype: "F16",
  shape: tensor.shape,
  bytes: new Uint8Array(
    Uint16Array.from(bitsOf(tensor), (bits) => {
      const exponent = ((bits >>> 23) & 255) - 112;
      return exponent <= 0 ? 0 : ((bits >>> 16) & 0x8000) | (exponent << 10) | ((bits >>> 13) & 1023);
    }).buffer,
  ),
});
/** The f32 numbers that a file of another dtype stands for. */
const asRead =
  (convert: Edit): Edit =>
  (tensor) => ({
    dtype: "F32",
    shape: tensor.shape,
    bytes: new Uint8Array(toFloat32(convert(tensor), "tensor").buffer),
  });

async function featuresOf(path: string): Promise<Float32Array> {
  const network = await loadNetwork(device, NETWORK, STAGES, await openWeights(path));
  const image = fromArray(device, [1, 32, 32, 3], uniform(32 * 32 * 3, 0));
  const [features] = network.features(image);
  const values = await toArray(features!);
  [image, features!].forEach(release);
  network.release();
  return values;
}

describe("weights are read", () => {
  test.each([
    ["f16", asF16],
    ["bf16", asBf16],
  ] as const)("from %s, as the numbers that they stand for", async (name, convert) => {
    const got = await featuresOf(await written(`${name}.safetensors`, convert));
    expect(got).toEqual(await featuresOf(await written(`${name}_as_f32.safetensors`, asRead(convert))));
    expect(got).not.toEqual(await featuresOf(await written("f32.safetensors", (tensor) => tensor)));
  });

  test("tensor by tensor: nothing beyond the header stays in memory", async () => {
    const path = await written("whole.safetensors", (tensor) => tensor);
    const weights = await openWeights(path);
    await truncate(path, 20_000); // header and first tensors are there, the last is not
    await expect(weights.read([...weights.shapes.keys()].at(-1)!)).rejects.toThrow(
      `${path} has become shorter while it was read; try again`,
    );
  });
});

describe("weights are refused in one line:", () => {
  const weight = "features.0.0.weight";
  const first =
    (value: number): Edit =>
    ({ shape, bytes }) => {
      const values = new Float32Array(bytes.slice().buffer);
      values[1] = value;
      return { dtype: "F32", shape, bytes: new Uint8Array(values.buffer) };
    };
  test.each<readonly [string, string, Edit, string]>([
    ["NaN", weight, first(Number.NaN), "holds NaN at element 1: the file is damaged; fetch it again"],
    ["infinity", weight, first(-Infinity), "holds -Infinity at element 1: the file is damaged; fetch it again"],
    ["a negative variance", "features.0.1.running_var", first(-0.5), "holds -0.5 at element 1: no variance is below 0"],
    [
      "whole numbers",
      weight,
      ({ shape, bytes }) => ({ dtype: "I32", shape, bytes }),
      "expected tensor features.0.0.weight of PATH of dtype F32, F16 or BF16, it is I32",
    ],
  ])("%s", async (what, name, edit, message) => {
    const path = await written(`${what}.safetensors`, (tensor, key) => (key === name ? edit(tensor) : tensor));
    const attempt = featuresOf(path);
    await expect(attempt).rejects.toThrow(InputError);
    await expect(attempt).rejects.toThrow(message.replace("PATH", path));
    await expect(attempt).rejects.toThrow(/^[^\n]+$/);
  });

  test("a file that is not there, and a folder", async () => {
    await expect(openWeights(join(folder, "none"))).rejects.toThrow("cannot read the weights");
    await expect(openWeights(folder)).rejects.toThrow(InputError);
  });
});

test("no damaged header ends in another error than a refusal, or in reading what the file does not have", async () => {
  const whole = await readFile(await written("fuzz.safetensors", (tensor) => tensor));
  const headerBytes = Number(whole.readBigUInt64LE(0));
  const header = whole.subarray(8, 8 + headerBytes).toString();
  const random = new RandomStream(11, 1);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random.unit() * list.length)]!;
  const words = [
    "0",
    "-1",
    "1e300",
    "4294967296",
    "9007199254740993",
    "null",
    '"F32"',
    '"F16"',
    "[]",
    "{}",
    "[0,8]",
    '""',
    "true",
    '"\\u0000"',
  ];
  const damaged = (): string => {
    let text = header;
    for (let edits = 1 + Math.floor(random.unit() * 3); edits > 0; edits--) {
      const tokens = [...text.matchAll(/"[^"]*"|-?\d+|\[[^\]]*\]|[{}:,]/g)];
      const { 0: token, index } = pick(tokens);
      const instead = pick([
        pick(words),
        "",
        token + token,
        token.slice(1),
        String(Number.parseInt(token) + Math.floor(9 * random.unit()) - 4),
      ]);
      text = text.slice(0, index) + instead + text.slice(index + token.length);
    }
    return text;
  };
  const path = join(folder, "damaged.safetensors");
  let refused = 0;
  for (let i = 0; i < 400; i++) {
    const text = Buffer.from(damaged());
    const start = Buffer.alloc(8);
    start.writeBigUInt64LE(BigInt(text.length));
    await writeFile(path, Buffer.concat([start, text, whole.subarray(8 + headerBytes)]));
    try {
      const weights = await openWeights(path);
      let read = 0;
      for (const name of weights.shapes.keys()) read += (await weights.read(name)).bytes.length;
      expect(read).toBe(whole.length - 8 - headerBytes);
    } catch (error) {
      expect(error).toBeInstanceOf(InputError);
      expect((error as Error).message).toMatch(/^[^\n]{1,400}$/);
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(200);
});
