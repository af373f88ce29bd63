// Writes ONNX models, through protobuf's own library and the part of the format in onnx.proto.
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";

const FLOAT = 1;
const root = new protobuf.Root().loadSync(fileURLToPath(new URL("onnx.proto", import.meta.url)), { keepCase: true });
const Model = root.lookupType("onnx.ModelProto");

function attribute([name, value]) {
  if (Array.isArray(value)) return { name, ints: value, type: "INTS" };
  if (typeof value === "string") return { name, s: Buffer.from(value), type: "STRING" };
  return { name, i: value, type: "INT" };
}

const valueInfo = ({ name, shape }) => ({
  name,
  type: { tensor_type: { elem_type: FLOAT, shape: { dim: shape.map((dim_value) => ({ dim_value })) } } },
});

/** A graph that is built node by node. */
export class Graph {
  #nodes = [];
  #initializers = [];
  #inputs = [];
  #outputs = [];

  /** Declares an f32 input; returns its name. */
  input(name, shape) {
    this.#inputs.push({ name, shape });
    return name;
  }

  /** Stores a weight; returns its name. */
  weight({ shape, data }) {
    const name = `w${this.#initializers.length}`;
    this.#initializers.push({
      name,
      dims: shape,
      data_type: FLOAT,
      raw_data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    });
    return name;
  }

  /** Adds one operation on named values; returns the name of its output. */
  node(op_type, input, attributes = {}) {
    const name = `n${this.#nodes.length}`;
    this.#nodes.push({ name, op_type, input, output: [name], attribute: Object.entries(attributes).map(attribute) });
    return name;
  }

  output(name, shape) {
    this.#outputs.push({ name, shape });
  }

  /** The model's bytes. */
  encode() {
    const graph = {
      name: "peers",
      node: this.#nodes,
      initializer: this.#initializers,
      input: this.#inputs.map(valueInfo),
      output: this.#outputs.map(valueInfo),
    };
    return Model.encode(
      Model.fromObject({ ir_version: 8, opset_import: [{ domain: "", version: 17 }], graph }),
    ).finish();
  }
}
