import { readFileSync } from "node:fs";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { InferenceSession, Tensor as OnnxTensor } from "onnxruntime-node";
import { expect, test } from "vitest";
import { callsOf } from "../../src/autograd/listing.ts";
import { synthesise } from "../../src/data/synthetic.ts";
import type { Detector } from "../../src/detection/detector.ts";
import type { Inspection } from "../../src/detection/inspection.ts";
import type { TrainingImage } from "../../src/detection/views.ts";
import { Training } from "../../src/detection/training.ts";
import type { HingeJoins } from "../../src/methods/grad/hinges.ts";
import { GRAD_OPTIONS, type GradOptions } from "../../src/methods/grad/options.ts";
import { Conversion, INPUT_NAME } from "../../src/onnx/conversion.ts";
import { encodeOnnx } from "../../src/onnx/encode_onnx.ts";
import { OPERATIONS } from "../../src/onnx/operations.ts";
import { encodeModel } from "../../src/onnx/protobuf.ts";
import { activation } from "../../src/ops/activation.ts";
import { batchNormInference } from "../../src/ops/batch_norm.ts";
import { add, scalar } from "../../src/ops/elementwise.ts";
import { resize } from "../../src/ops/resize.ts";
import { l2Normalize, layerNorm } from "../../src/ops/rows.ts";
import { broadcastTo, reshape } from "../../src/ops/shape.ts";

import { fromArray, toArray, type Tensor } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";
import { madeUpDetector, madeUpPicture } from "../harness/made_up_detector.ts";
import { differencesOf, expectClose, expectSameScores, runOnnx, sessionOf } from "./onnxruntime.ts";
import { inputsOf } from "../harness/inputs.ts";

const SIZE = 64;
const pictures = [1, 2, 3].map((key) => madeUpPicture(SIZE, key));

const {
  branches: { choices: BRANCHES },
  decoder: { choices: DECODERS },
  fusion: { choices: FUSIONS },
  heads: { choices: HEADS },
} = GRAD_OPTIONS;
const {
  hingeHead: { choices: HINGE_HEADS },
} = GRAD_OPTIONS;

/** Everything that changes what is computed; blocks are few, as more of them are more of the same. */
const VARIANTS: readonly GradOptions[] = BRANCHES.flatMap((branches) =>
  [true, false].flatMap((standardise): GradOptions[] => {
    if (branches === "normal")
      return [
        { branches, standardise },
        { branches, standardise, residualWeight: 2 },
      ];
    if (branches === "abnormal")
      return [
        { branches, standardise },
        { branches, standardise, hingeWeight: 3, residualWeight: 2 },
      ];
    return HEADS.flatMap((heads) => FUSIONS.map((fusion) => ({ branches, standardise, heads, fusion, lambda: 0.3 })));
  }),
);

test.each(DECODERS)(
  "onnxruntime gives the detector's scores and maps, whatever GRAD's options: %s",
  async (decoder) => {
    for (const variant of VARIANTS) {
      const detector = await madeUpDetector(device, SIZE, { decoder, blocks: 1, ...variant });
      await expectSameScores(detector, pictures);
      detector.release();
    }
  },
);

const HINGED = HINGE_HEADS.flatMap((hingeHead): GradOptions[] => [
  { branches: "abnormal", hingeHead },
  ...HEADS.flatMap((heads) =>
    (["learned", "none"] as const).map((fusion): GradOptions => ({ form: "joined", heads, fusion, hingeHead })),
  ),
]);

test("so with the hinge's scores in the map, by either head, whatever else is chosen", async () => {
  for (const variant of HINGED) {
    const [plain, hinged] = (await Promise.all(
      [0, 3].map((hingeWeight) => madeUpDetector(device, SIZE, { decoder: "tiny", ...variant, hingeWeight })),
    )) as [Detector, Detector];
    const [without, within] = (await Promise.all(
      [plain, hinged].map((detector) => detector.inspect(inputsOf(pictures))),
    )) as [Inspection[], Inspection[]];
    expect(within.map(({ map }) => map)).not.toEqual(without.map(({ map }) => map));
    await expectSameScores(hinged, pictures);
    for (const detector of [plain, hinged]) detector.release();
  }
});

test.each(["same", "same-static", "symmetric"] as const)(
  "so with an EfficientNet padded %s, several blocks, other grids and a hinge head",
  async (padding) => {
    const options = {
      form: "joined",
      decoder: "tiny",
      blocks: 2,
      localGrid: 5,
      globalGrid: 3,
      hingeHead: "own",
      hingeWeight: 2,
    } as const;
    const detector = await madeUpDetector(device, SIZE, options, { name: "efficientnet-b0", padding });
    await expectSameScores(detector, pictures);
    detector.release();
  },
);

test("so with a ResNet", async () => {
  const detector = await madeUpDetector(device, SIZE, { decoder: "tiny" }, { name: "resnet18", padding: null });
  await expectSameScores(detector, pictures);
  detector.release();
});

test("a letterbox's bars are transparent pixels, which are the mean colour exactly", async () => {
  const detector = await madeUpDetector(device, SIZE, { decoder: "tiny" }, null, "letterbox");
  const { width, data } = pictures[0]!;
  const wide = { width, height: 40, data: data.slice(0, 4 * width * 40) };
  const { target } = detector.placementOf(wide);
  const boxed = new Uint8Array(data.length);
  boxed.set(wide.data, 4 * width * target.top);
  const session = await sessionOf(detector);
  expectClose(
    differencesOf(
      await runOnnx(session, [{ width, height: SIZE, data: boxed }], 4),
      await detector.inspect(inputsOf([wide])),
    ),
  );
  await session.release();
  detector.release();
});

test.each([0, 2])(
  "so of a detector that was trained, on good and defective pictures, at a size whose windows are others; hinge of weight %i",
  async (hingeWeight) => {
    const size = 96;
    const [scene] = synthesise({ size, train: 12, good: 2, defective: 2, seed: 3 }) as [
      ReturnType<typeof synthesise>[number],
    ];
    const pictureOf = ({ rgba }: { readonly rgba: Uint8Array }) => ({ width: size, height: size, data: rgba });
    async function* good(): AsyncGenerator<TrainingImage> {
      for (const image of scene.train) yield { className: "weave", image: pictureOf(image) };
    }
    const training = await Training.begin(device, good(), {
      form: "joined",
      decoder: "tiny",
      hingeWeight,
      inputSize: size,
      batch: 3,
      epochsAbnormal: 1,
      leastAbnormal: 40,
    });
    let steps = 0;
    for await (const _step of training.fit()) if (++steps === 80) break;
    const detector = await training.finish();
    const { joins } = detector.config.method.config as unknown as { readonly joins: HingeJoins };
    expect((joins.abnormal?.weight ?? 0) > 0).toBe(hingeWeight > 0);
    await expectSameScores(detector, scene.test.map(pictureOf));
    detector.release();
  },
);

/** The fields of a protobuf message that are texts, messages or bytes, by number. */
function fieldsOf(message: Uint8Array): Map<number, Uint8Array[]> {
  const reader = new BinaryReader(message);
  const fields = new Map<number, Uint8Array[]>();
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    if (type === WireType.LengthDelimited) fields.set(number, [...(fields.get(number) ?? []), reader.bytes()]);
    else reader.skip(type, number);
  }
  return fields;
}

const textOf = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);

test("the file says how to prepare images and what scores mean, and has its norms folded", async () => {
  const detector = await madeUpDetector(device, SIZE, { decoder: "mobile", blocks: 2 });
  const file = await encodeOnnx(detector);
  const model = fieldsOf(file);
  const metadata = Object.fromEntries(
    model.get(14)!.map((entry) => [1, 2].map((n) => textOf(fieldsOf(entry).get(n)![0])) as [string, string]),
  );
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  expect(metadata).toMatchObject({ format: "bigrid-onnx", version });
  expect(JSON.parse(metadata["preprocessing"]!)).toMatchObject({
    ...detector.preprocessing,
    colours: "RGB",
    layout: "NHWC",
    dtype: "uint8",
  });
  expect(JSON.parse(metadata["calibration"]!)).toEqual(detector.config.calibration);
  expect(JSON.parse(metadata["backbone"]!)).toEqual(detector.config.backbone);
  expect(JSON.parse(metadata["method"]!)).toEqual(detector.config.method);
  const operators = fieldsOf(model.get(7)![0]!)
    .get(1)!
    .map((node) => textOf(fieldsOf(node).get(4)![0]));
  expect(operators).toContain("GridSample");
  expect(operators).not.toContain("BatchNormalization");
  expect(await encodeOnnx(detector)).toEqual(file); // equal detectors give equal bytes
  detector.release();
});

test("exporting leaves no memory behind", async () => {
  const detector = await madeUpDetector(device, SIZE, { decoder: "tiny" });
  await encodeOnnx(detector);
  const before = device.memory().bytes;
  await encodeOnnx(detector);
  expect(device.memory().bytes).toBe(before);
  detector.release();
});

test("onnxruntime's layer norms, broadcasts and resizing by any factor are the library's", async () => {
  using _scope = device.scope({ awaits: true });
  const affine = fromArray(device, [2, 4], Float32Array.of(1, 2, -1, 0.5, 0, 1, 3, -2));
  const constants = new Map([[affine.id, await toArray(affine)]]);
  const imagesOf = (count: number): Tensor =>
    fromArray(
      device,
      [count, 2, 3, 4],
      Float32Array.from({ length: 24 * count }, (_, i) => 5 * Math.sin(i * i)),
    );
  const programs: readonly ((images: Tensor) => Tensor)[] = [
    (images) => layerNorm(images, affine, { eps: 0.5 }),
    (images) => layerNorm(reshape(images, [6 * images.shape[0]!, 4])),
    (images) => add(reshape(images, [images.shape[0]!, 6, 4]), reshape(broadcastTo(affine, [3, 2, 4]), [6, 4])),
    (images) => broadcastTo(affine, [2 * images.shape[0]!, 2, 4]),
    (images) => resize(images, [5, 7], { alignCorners: true }),
    (images) => resize(images, [3, 2]),
  ];
  for (const [nth, program] of programs.entries()) {
    const listed = (count: number) => {
      const input = imagesOf(count);
      return { input, ...callsOf(() => program(input)) };
    };
    const [one, two] = [listed(1), listed(2)];
    const to = new Conversion({ calls: one.calls, others: two.calls, constants }, OPERATIONS);
    to.name(one.input, { name: INPUT_NAME, order: "as it is" });
    const name = to.plain(one.result);
    const value = (name: string) => ({ name, dtype: "FLOAT", shape: ["N"], description: "" }) as const;
    const file = encodeModel({
      name: "ops",
      description: "",
      producer: { name: "", version: "" },
      metadata: {},
      inputs: [{ ...value(INPUT_NAME), shape: ["N", 2, 3, 4] }],
      outputs: [{ ...value(name), shape: one.result.shape.map((_, axis) => `D${axis}`) }],
      nodes: to.nodes,
      constants: to.tensors,
    });
    const session = await InferenceSession.create(file, { executionProviders: ["cpu"] });
    const images = imagesOf(3);
    const outputs = await session.run({ [INPUT_NAME]: new OnnxTensor("float32", await toArray(images), images.shape) });
    const want = program(images);
    expect(outputs[name]!.dims, `program ${nth}`).toEqual(want.shape);
    const values = await toArray(want);
    (outputs[name]!.data as Float32Array).forEach((x, i) => expect(x, `program ${nth}`).toBeCloseTo(values[i]!, 4));
    await session.release();
  }
});

test("what ONNX or the export has no word for is refused in one line", () => {
  using _scope = device.scope();
  const input = fromArray(device, [1, 2, 2, 1], Float32Array.of(1, 2, 3, 4));
  const pair = fromArray(device, [2, 1], Float32Array.of(1, 1));
  const convert = (f: () => Tensor) => {
    const { result, calls } = callsOf(f);
    const to = new Conversion(
      { calls, others: calls, constants: new Map([[pair.id, Float32Array.of(1, 1)]]) },
      OPERATIONS,
    );
    to.name(input, { name: "image", order: "channels first" });
    return () => to.image(result);
  };
  expect(convert(() => activation(input, "gelu"))).toThrow(
    "this model cannot be exported as ONNX: it uses the operation gelu",
  );
  expect(convert(() => add(input, fromArray(device, [1, 1, 1, 2], Float32Array.of(1, 2))))).toThrow(
    "it uses an operation that is not listed, with the result [1,1,1,2]",
  );
  expect(convert(() => l2Normalize(input))).toThrow("it uses the operation l2Normalize");
  expect(convert(() => resize(input, [4, 4], { mode: "nearest", alignCorners: true }))).toThrow(
    "it uses resizing to the nearest pixel with aligned corners",
  );
  expect(convert(() => resize(input, [3, 4], { mode: "nearest" }))).toThrow(
    "it uses resizing to the nearest pixel by 1.5 and 2, which are not whole numbers",
  );
  expect(convert(() => resize(input, [1, 1], { antialias: true }))).toThrow("it uses resizing with antialiasing");
  expect(convert(() => add(input, scalar(device, 1)))()).toBe("Add_0");
  expect(convert(() => batchNormInference(input, pair, pair))).toThrow(
    "it uses a batch norm that does not follow a convolution",
  );
  const weights = { name: "weights", shape: [1 << 22], data: new Float32Array(1 << 22) };
  const constants = Array.from({ length: 129 }, () => weights);
  const empty = {
    name: "",
    description: "",
    producer: { name: "", version: "" },
    inputs: [],
    outputs: [],
    nodes: [],
    metadata: {},
  };
  expect(() => encodeModel({ ...empty, constants })).toThrow(
    "ONNX files hold at most 2147483647 bytes, and this model has 2164260864 of weights",
  );
});
