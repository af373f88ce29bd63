import { describe, expect, test } from "vitest";
import {
  BACKBONES,
  blankBackbone,
  createBackbone,
  isPretrained,
  type PretrainedName,
} from "../../src/backbones/registry.ts";
import { resnet, type ResNetName } from "../../src/backbones/resnet.ts";
import { fromArray, release } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";
import golden from "../golden/resnet.json";
import { errorsOf, tensorsHash } from "../harness/golden_network.ts";
import { madeUp } from "../harness/made_up_network.ts";

const CASES = golden.cases.map(({ name, ...rest }) => ({ name: name as ResNetName, ...rest }));
const hasHalf = device.gpu.features.has("shader-f16");

describe("made-up weights give what PyTorch makes of them, layers 1 to 4:", () => {
  test.each(CASES)("$name", async ({ name, tensors, layers }) => {
    const before = device.memory().bytes;
    expect(tensorsHash(name)).toBe(tensors);
    for (const error of await errorsOf(name, golden.side, layers, {})) expect(error).toBeLessThan(1e-5);
    expect(device.memory().bytes).toBe(before);
  });

  test.skipIf(!hasHalf).each(CASES.slice(0, 2))("$name stored in f16", async ({ name, layers }) => {
    for (const error of await errorsOf(name, golden.side, layers, { dtype: "f16" })) expect(error).toBeLessThan(5e-3);
  });
});

describe("a ResNet as a backbone", () => {
  const make = (name: PretrainedName, options: object = {}) =>
    createBackbone(device, name, { inputSize: 64, weights: madeUp(name), ...options });

  test("gives layers 2 and 3 unless told others, finest first and each once, and takes images of ImageNet's normalisation", async () => {
    const backbone = await make("resnet18");
    expect(backbone.stages).toEqual([
      { name: "layer2", stride: 8, channels: 128 },
      { name: "layer3", stride: 16, channels: 256 },
    ]);
    expect(backbone.identity).toMatchObject({ name: "resnet18", padding: null });
    expect(backbone.input).toEqual({ side: 64, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] });
    const images = fromArray(device, [2, 64, 64, 3], new Float32Array(2 * 64 * 64 * 3));
    const maps = backbone.features(images);
    expect(maps.map(({ shape }) => shape)).toEqual([
      [2, 8, 8, 128],
      [2, 4, 4, 256],
    ]);
    [images, ...maps].forEach(release);
    backbone.release();
    const others = await make("resnet18", { stages: ["layer3", "layer1", "layer3"] });
    expect(others.stages.map(({ name }) => name)).toEqual(["layer1", "layer3"]);
    others.release();
  });

  test("reads no layer behind those asked for", async () => {
    const whole = madeUp("resnet18");
    const weights = { ...whole, shapes: new Map([...whole.shapes].filter(([name]) => !/^layer[34]/.test(name))) };
    (await make("resnet18", { weights, stages: ["layer2"] })).release();
    await expect(make("resnet18", { weights })).rejects.toThrow(
      "made-up weights does not fit resnet18 (names of timm, torchvision): layer3.0.conv1.weight [256,128,3,3] is missing;",
    );
  });

  test("refuses weights of another network, naming what differs", async () => {
    await expect(make("resnet50", { weights: madeUp("resnet18") })).rejects.toThrow(
      "made-up weights does not fit resnet50 (names of timm, torchvision): layer1.0.conv1.weight is [64,64,3,3], not [64,64,1,1]; ",
    );
    await expect(make("wide-resnet50-2", { weights: madeUp("resnet50") })).rejects.toThrow(
      "layer1.0.conv1.weight is [64,64,1,1], not [128,64,1,1]; ",
    );
    await expect(make("resnet18", { weights: madeUp("efficientnet-b0") })).rejects.toThrow(
      /^made-up weights holds no ResNet: none of its \d+ tensors is conv1\.weight \(timm, torchvision\)$/,
    );
  });

  test("refuses unknown stages, other sizes and a padding in one line that names the rule", async () => {
    await expect(make("resnet18", { stages: ["layer2", "layer5", "stem"] })).rejects.toThrow(
      "resnet18 has the stages layer1, layer2, layer3, layer4, got layer5, stem",
    );
    await expect(make("resnet18", { inputSize: 72 })).rejects.toThrow(
      "resnet18 takes images of a side that is a multiple of 16 and at least 64, got 72",
    );
    await expect(make("resnet18", { inputSize: 64, stages: ["layer4"] })).rejects.toThrow(
      "a multiple of 32 and at least 128, got 64",
    );
    await expect(make("resnet18", { padding: "same" })).rejects.toThrow("resnet18 has no padding to choose, got same");
    await expect(make("resnet18", { weights: null })).rejects.toThrow(
      "resnet18 needs its weights: name a safetensors file of them (names of timm, torchvision)",
    );
  });
});

test("every backbone can be made without weights for a dry run, and gives its memory back", async () => {
  const { device: idle } = device.dryRun();
  const before = idle.memory().bytes;
  for (const name of BACKBONES) {
    const backbone = await blankBackbone(idle, name, { inputSize: 64 });
    expect(backbone.identity.name).toBe(name);
    expect(isPretrained(name)).toBe(backbone.identity.weights !== null);
    backbone.release();
  }
  expect(idle.memory().bytes).toBe(before);
});

test("all ResNets are tested", () =>
  expect(CASES.map(({ name }) => resnet(name).name)).toEqual(["resnet18", "resnet50", "wide-resnet50-2"]));
