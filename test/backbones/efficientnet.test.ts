import { describe, expect, test } from "vitest";
import type { NetworkPadding } from "../../src/backbones/backbone.ts";
import { EFFICIENTNETS, efficientNet, planOf, type EfficientNetName } from "../../src/backbones/efficientnet.ts";
import { loadNetwork, networkTensors } from "../../src/backbones/network.ts";
import { recogniseLibrary } from "../../src/backbones/parts.ts";
import { createBackbone } from "../../src/backbones/registry.ts";
import type { PretrainedWeights } from "../../src/backbones/weights.ts";
import type { StoredTensor } from "../../src/io/safetensors.ts";
import { InputError, OptionError } from "../../src/runtime/errors.ts";
import { device } from "../harness/device.ts";
import golden from "../golden/efficientnet.json";
import { errorsOf, tensorsHash } from "../harness/golden_network.ts";
import { madeUp } from "../harness/made_up_network.ts";

const CASES = golden.cases.map(({ name, padding, ...rest }) => ({
  name: name as EfficientNetName,
  padding: padding as NetworkPadding,
  ...rest,
}));

describe("made-up weights give what PyTorch makes of them, layers 1 to 5:", () => {
  test.each(CASES)("$name, padding $padding", async ({ name, padding, tensors, layers }) => {
    const before = device.memory().bytes;
    expect(tensorsHash(name)).toBe(tensors);
    for (const error of await errorsOf(name, golden.side, layers, { padding })) expect(error).toBeLessThan(1e-5);
    expect(device.memory().bytes).toBe(before);
  });

  test.skipIf(!device.gpu.features.has("shader-f16"))("B0 stored in f16", async () => {
    const { name, padding, layers } = CASES[0]!;
    for (const error of await errorsOf(name, golden.side, layers, { padding, dtype: "f16" }))
      expect(error).toBeLessThan(5e-3);
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

const NORM_PARTS = ["weight", "bias", "running_mean", "running_var"];

describe("weights", () => {
  const network = efficientNet("efficientnet-b0");
  const steps = [...network.steps("same")];
  const convolutions = steps.flatMap((step) => step.convolutions);
  const edited = (edit: (shapes: Map<string, readonly number[]>) => void): PretrainedWeights => {
    const shapes = new Map(madeUp("efficientnet-b0").shapes);
    edit(shapes);
    return {
      source: "weights.safetensors",
      sha256: "",
      shapes,
      read: () => Promise.resolve<StoredTensor>({ dtype: "F32", shape: [], bytes: new Uint8Array() }),
    };
  };
  const open = (weights: PretrainedWeights) => () => recogniseLibrary(convolutions, weights, network);

  test.each(["timm", "efficientnet_pytorch"])("of %s are known by their names", (library) => {
    // The shapes are those of torchvision's; only the names differ.
    const named = new Map<string, readonly number[]>();
    const add = (weight: string, norm: string, shape: readonly [number, number, number, number]) => {
      named.set(weight, shape);
      for (const part of NORM_PARTS) named.set(`${norm}.${part}`, [shape[0]]);
    };
    const plan = planOf("efficientnet-b0");
    const timm = library === "timm";
    add(timm ? "conv_stem.weight" : "_conv_stem.weight", timm ? "bn1" : "_bn0", [plan.stem, 3, 3, 3]);
    for (const { index, stage, indexInStage, kernel, inputs, expanded, squeezed, outputs } of plan.blocks) {
      const expands = inputs !== expanded;
      const at = timm ? `blocks.${stage}.${indexInStage}` : `_blocks.${index}`;
      if (timm) {
        if (expands) add(`${at}.conv_pw.weight`, `${at}.bn1`, [expanded, inputs, 1, 1]);
        add(`${at}.conv_dw.weight`, `${at}.${expands ? "bn2" : "bn1"}`, [expanded, 1, kernel, kernel]);
        add(`${at}.${expands ? "conv_pwl" : "conv_pw"}.weight`, `${at}.${expands ? "bn3" : "bn2"}`, [
          outputs,
          expanded,
          1,
          1,
        ]);
      } else {
        if (expands) add(`${at}._expand_conv.weight`, `${at}._bn0`, [expanded, inputs, 1, 1]);
        add(`${at}._depthwise_conv.weight`, `${at}._bn1`, [expanded, 1, kernel, kernel]);
        add(`${at}._project_conv.weight`, `${at}._bn2`, [outputs, expanded, 1, 1]);
      }
      const [reduce, expand] = timm ? ["se.conv_reduce", "se.conv_expand"] : ["_se_reduce", "_se_expand"];
      named.set(`${at}.${reduce}.weight`, [squeezed, expanded, 1, 1]).set(`${at}.${reduce}.bias`, [squeezed]);
      named.set(`${at}.${expand}.weight`, [expanded, squeezed, 1, 1]).set(`${at}.${expand}.bias`, [expanded]);
    }
    expect(
      open({ source: "x", sha256: "", shapes: named, read: () => Promise.reject(new Error("not asked for")) })(),
    ).toBe(library);
    expect([...networkTensors(network, library)].sort()).toEqual([...named].sort());
  });

  test("of other networks are refused with what was looked for", () => {
    expect(
      open({
        source: "resnet.safetensors",
        sha256: "",
        shapes: new Map([["conv1.weight", [64, 3, 7, 7]]]),
        read: () => Promise.reject(new Error()),
      }),
    ).toThrow(
      "resnet.safetensors holds no EfficientNet: none of its 1 tensors is conv_stem.weight (timm), features.0.0.weight (torchvision), _conv_stem.weight (efficientnet_pytorch)",
    );
  });

  test("with tensors missing or of another shape are refused with the first few and their number", () => {
    const wrong = edited((shapes) => {
      for (const part of NORM_PARTS) shapes.delete(`features.0.1.${part}`);
      shapes.set("features.0.0.weight", [40, 3, 3, 3]);
    });
    expect(open(wrong)).toThrow(InputError);
    expect(open(wrong)).toThrow(
      "weights.safetensors does not fit efficientnet-b0 (names of torchvision): features.0.0.weight is [40,3,3,3], not [32,3,3,3]; " +
        "features.0.1.weight [32] is missing; features.0.1.bias [32] is missing, and 2 more",
    );
  });

  test("need no more than the steps that are asked for", async () => {
    const shapes = new Map([...madeUp("efficientnet-b0").shapes].filter(([name]) => !name.startsWith("features.7.")));
    const partial = { ...madeUp("efficientnet-b0"), shapes };
    await expect(loadNetwork(device, network, network.stages, partial)).rejects.toThrow("and 16 more");
    const loaded = await loadNetwork(device, network, network.stages.slice(0, 4), partial);
    loaded.release();
  });

  test("that turn out damaged half way leave nothing on the device", async () => {
    const before = device.memory().bytes;
    const { read, ...whole } = madeUp("efficientnet-b0");
    const damaged = {
      ...whole,
      read: async (name: string) => ({
        ...(await read(name)),
        ...(name.startsWith("features.3.0.block.2.") && { dtype: "I32" }),
      }),
    };
    await expect(loadNetwork(device, network, network.stages, damaged)).rejects.toThrow(
      "of dtype F32, F16 or BF16, it is I32",
    );
    expect(device.memory().bytes).toBe(before);
  });

  test("are not read where an option is out of range", async () => {
    const weights = {
      source: "x",
      sha256: "",
      shapes: new Map<string, readonly number[]>(),
      read: () => Promise.reject(new Error()),
    };
    const make = (options: object) => createBackbone(device, "efficientnet-b0", { inputSize: 64, weights, ...options });
    await expect(make({ stages: ["layer6"] })).rejects.toThrow(OptionError);
    await expect(make({ stages: ["layer6"] })).rejects.toThrow(
      "efficientnet-b0 has the stages layer1, layer2, layer3, layer4, layer5, got layer6",
    );
    await expect(make({ stages: [] })).rejects.toThrow("got none");
    await expect(make({ inputSize: 100 })).rejects.toThrow(
      "efficientnet-b0 takes images of a side that is a multiple of 16 and at least 64, got 100",
    );
    await expect(make({ padding: "valid" })).rejects.toThrow(
      "efficientnet-b0: expected padding to be same, same-static, symmetric, got valid",
    );
  });
});

test("all eight networks are tested", () =>
  expect(new Set(CASES.map(({ name }) => name))).toEqual(new Set(EFFICIENTNETS)));
