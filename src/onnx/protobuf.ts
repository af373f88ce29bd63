import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { UnsupportedError } from "../runtime/errors.ts";
import { DTYPES, type OnnxAttribute, type OnnxModel, type OnnxNode, type OnnxTensor, type OnnxValue } from "./model.ts";

const IR_VERSION = 8;
const OPSET = 16; // the first with GridSample; later ones change nothing that is used
const LARGEST = 2 ** 31 - 1; // largest message that protobuf readers accept, in bytes

const ATTRIBUTE_TYPES = { FLOAT: 1, INT: 2, STRING: 3, INTS: 7 };

/**
 * Encodes a model as ONNX's protobuf: the messages of onnx.proto with their field numbers.
 * @throws UnsupportedError for more than a protobuf message can hold
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */
export function encodeModel(model: OnnxModel): Uint8Array {
  const bytes = model.constants.reduce((sum, { data }) => sum + data.byteLength, 0);
  if (bytes > LARGEST) {
    throw new UnsupportedError(
      `ONNX files hold at most ${LARGEST} bytes, and this model has ${bytes} of weights; train a smaller one`,
    );
  }
  const { inputs, outputs, nodes, constants, producer, metadata } = model;
  return message(
    whole(1, IR_VERSION),
    text(2, producer.name),
    text(3, producer.version),
    text(6, model.description),
    part(
      7,
      ...nodes.map((node, i) => part(1, ...nodeFields(node, i))),
      text(2, model.name),
      ...constants.map((tensor) => part(5, ...tensorFields(tensor))),
      ...inputs.map((value) => part(11, ...valueFields(value))),
      ...outputs.map((value) => part(12, ...valueFields(value))),
    ),
    part(8, text(1, ""), whole(2, OPSET)),
    ...Object.entries(metadata).map(([key, value]) => part(14, text(1, key), text(2, value))),
  )(new BinaryWriter()).finish();
}

const nodeFields = ({ op, inputs, outputs, attributes }: OnnxNode, i: number): Field[] => [
  ...inputs.map((name) => text(1, name)),
  ...outputs.map((output) => text(2, output)),
  text(3, `${op}_${i}`),
  text(4, op),
  ...Object.entries(attributes).map(([name, value]) => part(5, text(1, name), ...attributeFields(value))),
];

function attributeFields(value: OnnxAttribute): Field[] {
  const { FLOAT, INT, STRING, INTS } = ATTRIBUTE_TYPES;
  if (typeof value === "number") return [whole(3, value), whole(20, INT)];
  if (typeof value === "string") return [text(4, value), whole(20, STRING)];
  if ("float" in value) return [(writer) => writer.tag(2, WireType.Bit32).float(value.float), whole(20, FLOAT)];
  return [...value.map((n) => whole(8, n)), whole(20, INTS)];
}

const tensorFields = ({ name, shape, data }: OnnxTensor): Field[] => [
  ...shape.map((extent) => whole(1, extent)),
  whole(2, DTYPES[data instanceof Float32Array ? "FLOAT" : "INT64"]),
  text(8, name),
  (writer) =>
    writer.tag(9, WireType.LengthDelimited).bytes(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
];

const valueFields = ({ name, dtype, shape, description }: OnnxValue): Field[] => [
  text(1, name),
  part(2, part(1, whole(1, DTYPES[dtype]), part(2, ...shape.map(extentField)))),
  text(3, description),
];

const extentField = (extent: number | string): Field =>
  part(1, typeof extent === "number" ? whole(1, extent) : text(2, extent));

type Field = (writer: BinaryWriter) => BinaryWriter;

const message =
  (...fields: readonly Field[]): Field =>
  (writer) =>
    fields.reduce((so, field) => field(so), writer);
const part =
  (number: number, ...fields: readonly Field[]): Field =>
  (writer) =>
    message(...fields)(writer.tag(number, WireType.LengthDelimited).fork()).join();
const whole =
  (number: number, value: number): Field =>
  (writer) =>
    writer.tag(number, WireType.Varint).int64(value);
const text =
  (number: number, value: string): Field =>
  (writer) =>
    writer.tag(number, WireType.LengthDelimited).string(value);
