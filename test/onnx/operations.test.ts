// Rules that have options beyond those that a detector uses: onnxruntime against the operation.
import { InferenceSession, Tensor as OnnxTensor } from "onnxruntime-node";
import { expect, test } from "vitest";
import { callsOf } from "../../src/autograd/listing.ts";
import { imagesToNchw } from "../../src/io/nchw.ts";
import { Conversion } from "../../src/onnx/conversion.ts";
import { OPERATIONS } from "../../src/onnx/operations.ts";
import { encodeModel } from "../../src/onnx/protobuf.ts";
import { convTranspose2d, type ConvTranspose2dOptions } from "../../src/ops/conv_transpose2d.ts";
import { add } from "../../src/ops/elementwise.ts";
import { pad } from "../../src/ops/shape.ts";
import { fromArray, toArray, type Shape, type Tensor } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";
import { uniform } from "../harness/made_up_network.ts";

type Images = readonly [number, number, number, number];
const nchw = (values: Float32Array, shape: Shape): Float32Array => imagesToNchw(values, shape as Images);
const channelsFirst = ([n, h, w, c]: Images): Images => [n, c, h, w];

/** Holds a function of images and constants against its graph, to rounding; returns how many constants that has. */
async function expectSame(shape: Images, constants: readonly Tensor[], f: (images: Tensor) => Tensor): Promise<number> {
  const values = uniform(
    shape.reduce((a, b) => a * b),
    1,
  );
  const images = fromArray(device, shape, values);
  const { result, calls } = callsOf(() => f(images));
  const read = await Promise.all(
    constants.map(async ({ id, ...tensor }) => [id, await toArray({ id, ...tensor })] as const),
  );
  const to = new Conversion({ calls, others: calls, constants: new Map(read) }, OPERATIONS);
  to.name(images, { name: "images", order: "channels first" });
  const output = to.image(result);
  const float = (name: string, shape: Shape) => ({ name, dtype: "FLOAT", shape, description: "" }) as const;
  const file = encodeModel({
    name: "test",
    description: "",
    producer: { name: "test", version: "" },
    inputs: [float("images", channelsFirst(shape))],
    outputs: [float(output, channelsFirst(result.shape as Images))],
    nodes: to.nodes,
    constants: to.tensors,
    metadata: {},
  });
  const session = await InferenceSession.create(file, { executionProviders: ["cpu"] });
  const outputs = await session.run({ images: new OnnxTensor("float32", nchw(values, shape), channelsFirst(shape)) });
  const got = outputs[output]!.data as Float32Array;
  const want = nchw(await toArray(result), result.shape);
  expect(got).toHaveLength(want.length);
  want.forEach((value, i) => expect(Math.abs(got[i]! - value), `element ${i}`).toBeLessThan(1e-5));
  await session.release();
  return to.tensors.length;
}

test.each<readonly [string, ConvTranspose2dOptions, Shape]>([
  ["doubling", { stride: 2, padding: 1 }, [4, 4, 3, 6]],
  ["of different strides and added pixels", { stride: [2, 3], outputPadding: [1, 2], padding: [0, 1] }, [3, 2, 5, 6]],
  ["dilated, in groups", { dilation: [2, 1], groups: 2 }, [2, 3, 2, 6]],
])("a transposed convolution, %s", async (_why, options, shape) => {
  const weight = fromArray(
    device,
    shape,
    uniform(
      shape.reduce((a, b) => a * b),
      2,
    ),
  );
  await expectSame([2, 3, 4, 6], [weight], (images) => convTranspose2d(images, weight, options));
});

test("padding, of each axis by its own", async () => {
  const amounts = [
    [0, 0],
    [1, 2],
    [3, 0],
    [0, 4],
  ] as const;
  await expectSame([2, 3, 4, 5], [], (images) => pad(images, amounts, 0.5));
});

test("equal constants are in the file once", async () => {
  const [one, same, other] = [1, 1, 2].map((key) => fromArray(device, [1, 3, 4, 5], uniform(60, key)));
  const constants = [one!, same!, other!];
  expect(
    await expectSame([2, 3, 4, 5], constants, (images) => constants.reduce((sum, one) => add(sum, one), images)),
  ).toBe(2);
});
