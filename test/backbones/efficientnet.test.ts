import { describe, expect, test } from "vitest";
import type { StoredTensor } from "../../src/io/safetensors.ts";
import { EFFICIENTNETS, planOf, type EfficientNetName } from "../../src/backbones/efficientnet/architecture.ts";
import { NetworkCheckpoint, type Checkpoint } from "../../src/backbones/efficientnet/checkpoint.ts";
import { EfficientNet, type EfficientNetOptions } from "../../src/backbones/efficientnet/efficientnet.ts";
import { InputError, OptionError } from "../../src/runtime/errors.ts";
import { fromArray, release, toArray, type FloatDType } from "../../src/tensor/tensor.ts";
import { device } from "../device.ts";
import golden from "../golden/efficientnet.json";
import { madeUp, NORM_PARTS, uniform } from "../made_up_network.ts";

/** Relative errors, by the root of squares, of the golden samples of layers 1 to 5; and of the whole layers' squares. */
async function errorsOf(name: EfficientNetName, padding: NonNullable<EfficientNetOptions["padding"]>, dtype: FloatDType, layers: (typeof golden.cases)[number]["layers"]): Promise<number[]> {
  const network = await EfficientNet.load(device, name, madeUp(planOf(name)), { layers: [1, 2, 3, 4, 5], padding, dtype });
  const { side } = golden;
  const image = fromArray(device, [1, side, side, 3], uniform(3 * side * side, 0));
  const outputs = network.features(image);
  release(image);
  const errors: number[] = [];
  for (const [i, output] of outputs.entries()) {
    expect(output.shape).toEqual(layers[i]!.shape);
    expect(output.dtype).toBe(dtype);
    const values = await toArray(output);
    const got = layers[i]!.samples.map((_, j) => values[(j * 7919) % values.length]!);
    const difference = Math.sqrt(got.reduce((sum, x, j) => sum + (x - layers[i]!.samples[j]!) ** 2, 0));
    const size = Math.sqrt(layers[i]!.samples.reduce((sum, x) => sum + x * x, 0));
    const squares = values.reduce((sum, x) => sum + x * x, 0);
    errors.push(Math.max(difference / size, Math.abs(Math.sqrt(squares / layers[i]!.squares) - 1)));
    release(output);
  }
  network.release();
  return errors;
}

describe("made-up weights give what PyTorch makes of them, layers 1 to 5:", () => {
  test.each(golden.cases.map((row) => [row.name as EfficientNetName, row.padding as NonNullable<EfficientNetOptions["padding"]>, row.layers] as const))("%s, padding %s", async (name, padding, layers) => {
    const before = device.memory().bytes;
    for (const error of await errorsOf(name, padding, "f32", layers)) expect(error).toBeLessThan(1e-5);
    expect(device.memory().bytes).toBe(before);
  });

  test.skipIf(!device.gpu.features.has("shader-f16"))("B0 stored in f16", async () => {
    const { layers } = golden.cases[0]!;
    for (const error of await errorsOf("efficientnet-b0", "symmetric", "f16", layers)) expect(error).toBeLessThan(5e-3);
  });
});

describe("a network's plan", () => {
  test.each([
    ["efficientnet-b0", 32, [0, 2, 4, 10, 15], [16, 24, 40, 112, 320]],
    ["efficientnet-b3", 40, [1, 4, 7, 17, 25], [24, 32, 48, 136, 384]],
    ["efficientnet-b4", 48, [1, 5, 9, 21, 31], [24, 32, 56, 160, 448]],
    ["efficientnet-b6", 56, [2, 8, 14, 30, 44], [32, 40, 72, 200, 576]],
    ["efficientnet-b7", 64, [3, 10, 17, 37, 54], [32, 48, 80, 224, 640]],
  ] as const)("%s", (name, stem, ends, channels) => {
    const plan = planOf(name);
    expect(plan.stem).toBe(stem);
    expect(plan.layerEnds).toEqual(ends);
    expect(plan.layerEnds.map((end) => plan.blocks[end]!.outputs)).toEqual(channels);
  });
});

describe("checkpoints", () => {
  const plan = planOf("efficientnet-b0");
  const shapesOf = (edit: (shapes: Map<string, readonly number[]>) => void): Checkpoint => {
    const shapes = new Map(madeUp(plan).shapes);
    edit(shapes);
    return { source: "weights.safetensors", sha256: "", shapes, read: () => Promise.resolve<StoredTensor>({ dtype: "F32", shape: [], bytes: new Uint8Array() }) };
  };
  const open = (checkpoint: Checkpoint) => () => new NetworkCheckpoint(checkpoint, plan, 15);

  test.each(["timm", "efficientnet_pytorch"])("of %s are known by their names", (library) => {
    // The shapes are those of torchvision's; only the names differ.
    const named = new Map<string, readonly number[]>();
    const add = (filters: string, norm: string, shape: readonly [number, number, number, number]) => {
      named.set(filters, shape);
      for (const part of NORM_PARTS) named.set(`${norm}.${part}`, [shape[0]]);
    };
    const timm = library === "timm";
    add(timm ? "conv_stem.weight" : "_conv_stem.weight", timm ? "bn1" : "_bn0", [plan.stem, 3, 3, 3]);
    for (const { index, stage, indexInStage, kernel, inputs, expanded, squeezed, outputs } of plan.blocks) {
      const expands = inputs !== expanded;
      const at = timm ? `blocks.${stage}.${indexInStage}` : `_blocks.${index}`;
      if (timm) {
        if (expands) add(`${at}.conv_pw.weight`, `${at}.bn1`, [expanded, inputs, 1, 1]);
        add(`${at}.conv_dw.weight`, `${at}.${expands ? "bn2" : "bn1"}`, [expanded, 1, kernel, kernel]);
        add(`${at}.${expands ? "conv_pwl" : "conv_pw"}.weight`, `${at}.${expands ? "bn3" : "bn2"}`, [outputs, expanded, 1, 1]);
      } else {
        if (expands) add(`${at}._expand_conv.weight`, `${at}._bn0`, [expanded, inputs, 1, 1]);
        add(`${at}._depthwise_conv.weight`, `${at}._bn1`, [expanded, 1, kernel, kernel]);
        add(`${at}._project_conv.weight`, `${at}._bn2`, [outputs, expanded, 1, 1]);
      }
      const [reduce, expand] = timm ? ["se.conv_reduce", "se.conv_expand"] : ["_se_reduce", "_se_expand"];
      named.set(`${at}.${reduce}.weight`, [squeezed, expanded, 1, 1]).set(`${at}.${reduce}.bias`, [squeezed]);
      named.set(`${at}.${expand}.weight`, [expanded, squeezed, 1, 1]).set(`${at}.${expand}.bias`, [expanded]);
    }
    const checkpoint = { source: "x", sha256: "", shapes: named, read: () => Promise.reject(new Error("not asked for")) };
    expect(new NetworkCheckpoint(checkpoint, plan, 15).eps).toBe(1e-3);
  });

  test("of other networks are refused with what was looked for", () => {
    expect(open({ source: "resnet.safetensors", sha256: "", shapes: new Map([["conv1.weight", [64, 3, 7, 7]]]), read: () => Promise.reject(new Error()) })).toThrow(
      "resnet.safetensors holds no EfficientNet: none of its 1 tensors is conv_stem.weight (timm), features.0.0.weight (torchvision), _conv_stem.weight (efficientnet_pytorch)",
    );
  });

  test("with tensors missing or of another shape are refused with the first few and their number", () => {
    const edited = shapesOf((shapes) => {
      for (const part of NORM_PARTS) shapes.delete(`features.0.1.${part}`);
      shapes.set("features.0.0.weight", [40, 3, 3, 3]);
    });
    expect(open(edited)).toThrow(InputError);
    expect(open(edited)).toThrow(
      "weights.safetensors does not fit efficientnet-b0 (names of torchvision): features.0.0.weight is [40,3,3,3], not [32,3,3,3]; "
      + "features.0.1.weight [32] is missing; features.0.1.bias [32] is missing, and 2 more",
    );
  });

  test("need no more than the blocks that are asked for", () => {
    const partial = shapesOf((shapes) => {
      for (const name of [...shapes.keys()]) if (name.startsWith("features.7.")) shapes.delete(name);
    });
    expect(open(partial)).toThrow("and 16 more");
    expect(new NetworkCheckpoint(partial, plan, 10).blocks).toHaveLength(11);
  });

  test("options out of range are refused before anything is read", async () => {
    const nothing = { source: "x", sha256: "", shapes: new Map<string, readonly number[]>(), read: () => Promise.reject(new Error()) };
    await expect(EfficientNet.load(device, "efficientnet-b0", nothing, { layers: [6] })).rejects.toThrow(OptionError);
    await expect(EfficientNet.load(device, "efficientnet-b0", nothing, { layers: [] })).rejects.toThrow("expected layers from 1 to 5, got none");
    await expect(EfficientNet.load(device, "efficientnet-b0", nothing, { layers: [3], padding: "valid" as "same" })).rejects.toThrow(
      "efficientnet-b0: expected padding to be same, same-static, symmetric, got valid",
    );
  });
});

test("all eight networks are tested", () => expect(new Set(golden.cases.map(({ name }) => name))).toEqual(new Set(EFFICIENTNETS)));
