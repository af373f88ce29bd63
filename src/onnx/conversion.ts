import type { Call } from "../autograd/listing.ts";
import { imagesToNchw } from "../io/nchw.ts";
import { UnsupportedError } from "../runtime/errors.ts";
import { sameShape, type Shape, type Tensor } from "../tensor/tensor.ts";
import type { OnnxAttribute, OnnxNode, OnnxTensor } from "./model.ts";

/** A value in the graph: an image in ONNX's order, `[N,C,H,W]`, or any tensor in its own order. */
export interface Converted {
  readonly name: string;
  readonly order: Order;
}

type Order = "channels first" | "as it is";

/** Name of the graph's input. */
export const INPUT_NAME = "image";

/** Creates the nodes of an op. */
export type Rule = (call: Call, to: Conversion) => Converted;

/** The ops of a model, listed at two batch sizes. */
export interface Listing {
  readonly calls: readonly Call[];
  /** The same calls at the other batch size. */
  readonly others: readonly Call[];
  /** Elements of the tensors that the calls took from outside. */
  readonly constants: ReadonlyMap<Tensor["id"], Float32Array>;
}

/**
 * Converts ops to a graph, from the outputs back to the images, so that unused ops are left out. Images are `[N,C,H,W]`
 * wherever possible, as ONNX's operators expect.
 */
export class Conversion {
  readonly nodes: OnnxNode[] = [];
  readonly tensors: OnnxTensor[] = [];
  readonly #rules: Readonly<Record<string, Rule>>;
  readonly #calls: ReadonlyMap<Tensor["id"], { readonly call: Call; readonly other: Call }>;
  readonly #constants: ReadonlyMap<Tensor["id"], Float32Array>;
  readonly #names = new Map<string, string>();
  #images: string | null = null;

  constructor({ calls, others, constants }: Listing, rules: Readonly<Record<string, Rule>>) {
    this.#rules = rules;
    this.#calls = new Map(calls.map((call, i) => [call.output.id, { call, other: others[i]! }]));
    this.#constants = constants;
  }

  /** Sets the name of a tensor that no op makes. */
  name(tensor: Tensor, { name, order }: Converted): void {
    this.#names.set(keyOf(tensor, order), name);
  }

  /**
   * The name of an image `[N,H,W,C]` as `[N,C,H,W]`. A constant of fewer axes gets leading ones, as in broadcasting.
   */
  image(tensor: Tensor): string {
    return this.#named(tensor, "channels first");
  }

  /** The name of a tensor in its own order. */
  plain(tensor: Tensor): string {
    return this.#named(tensor, "as it is");
  }

  /** Adds a node; returns its result. */
  node(
    op: string,
    inputs: readonly string[],
    attributes: OnnxNode["attributes"] = {},
    output = `${op}_${this.nodes.length}`,
  ): string {
    this.nodes.push({ op, inputs, outputs: [output], attributes });
    return output;
  }

  /** Adds a node of two results; returns both. */
  nodeOfTwo(op: string, inputs: readonly string[], attributes: OnnxNode["attributes"]): readonly [string, string] {
    const output = `${op}_${this.nodes.length}`;
    const outputs = [`${output}_first`, `${output}_second`] as const;
    this.nodes.push({ op, inputs, outputs, attributes });
    return outputs;
  }

  /** Adds a constant, unless there is an equal one, as where a network runs several times; returns its name. */
  constant(shape: Shape, data: OnnxTensor["data"]): string {
    const known = this.tensors.find((tensor) => sameShape(tensor.shape, shape) && areEqual(tensor.data, data));
    if (known) return known.name;
    const name = `constant_${this.tensors.length}`;
    this.tensors.push({ name, shape, data });
    return name;
  }

  /** Adds a constant number, for arithmetic; returns its name. */
  number(value: number): string {
    return this.constant([], Float32Array.of(value));
  }

  /** Adds a constant of integers, such as a shape; returns its name. */
  wholeNumbers(values: readonly number[]): string {
    return this.constant([values.length], BigInt64Array.from(values, BigInt));
  }

  /** The name of the number of images, `[1]`. */
  images(): string {
    this.#images ??= this.node("Slice", [
      this.node("Shape", [INPUT_NAME]),
      ...[0, 1].map((at) => this.wholeNumbers([at])),
    ]);
    return this.#images;
  }

  /**
   * The name of a tensor in image order if it has four axes, otherwise in its own, and a map from its axes to those of
   * that order.
   */
  natural(tensor: Tensor): { readonly converted: Converted; readonly axis: (axis: number) => number } {
    return tensor.shape.length === 4
      ? { converted: { name: this.image(tensor), order: "channels first" }, axis: imageAxis }
      : { converted: { name: this.plain(tensor), order: "as it is" }, axis: (axis) => axis };
  }

  /** A tensor's shape, with -1 for extents that depend on the batch. */
  shapeOf({ id, shape }: Tensor): Shape {
    const { other } = this.#calls.get(id)!;
    return shape.map((extent, axis) => (other.output.shape[axis] === extent ? extent : -1));
  }

  /** The call that made a tensor; null for one from outside. */
  callOf({ id }: Tensor): Call | null {
    return this.#calls.get(id)?.call ?? null;
  }

  /**
   * A constant's elements.
   * @throws UnsupportedError if the tensor depends on the images
   */
  elementsOf(tensor: Tensor): Float32Array {
    return this.#constants.get(tensor.id) ?? refuse(`weights [${tensor.shape.join(",")}] that depend on the images`);
  }

  #named(tensor: Tensor, wanted: Order): string {
    const order = tensor.shape.join() === "1" ? "as it is" : wanted; // a single number broadcasts alike in either order
    const isImage = tensor.shape.length === 4 || this.#constants.has(tensor.id);
    if (order === "channels first" && !isImage) refuse(`[${tensor.shape.join(",")}] as an image`);
    const key = keyOf(tensor, order);
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const name = this.#make(tensor, order);
    this.#names.set(key, name);
    return name;
  }

  #make(tensor: Tensor, order: Order): string {
    const elements = this.#constants.get(tensor.id);
    if (elements)
      return order === "as it is" ? this.constant(tensor.shape, elements) : this.#imageConstant(tensor.shape, elements);
    const made = this.#names.get(keyOf(tensor, opposite(order))) ?? null;
    const { name, order: has } = made === null ? this.#convert(tensor) : { name: made, order: opposite(order) };
    this.#names.set(keyOf(tensor, has), name);
    if (has === order) return name;
    return this.node("Transpose", [name], { perm: order === "as it is" ? [0, 2, 3, 1] : [0, 3, 1, 2] });
  }

  #convert(tensor: Tensor): Converted {
    const call =
      this.callOf(tensor) ?? refuse(`an operation that is not listed, with the result [${tensor.shape.join(",")}]`);
    const rule = this.#rules[call.op] ?? refuse(`the operation ${call.op}`);
    return rule(call, this);
  }

  #imageConstant(shape: Shape, elements: Float32Array): string {
    const [batch, height, width, channels] = [...Array<number>(4 - shape.length).fill(1), ...shape] as [
      number,
      number,
      number,
      number,
    ];
    return this.constant([batch, channels, height, width], imagesToNchw(elements, [batch, height, width, channels]));
  }
}

/** True for equal elements of one type, to the sign of 0. */
const areEqual = (a: OnnxTensor["data"], b: OnnxTensor["data"]): boolean =>
  a.constructor === b.constructor &&
  a.length === b.length &&
  a.every((value: number | bigint, i) => Object.is(value, b[i]));

/** @throws UnsupportedError, always */
export function refuse(what: string): never {
  throw new UnsupportedError(`this model cannot be exported as ONNX: it uses ${what}`);
}

/** A boolean as an integer attribute, 1 or 0. */
export const flag = (value: boolean): OnnxAttribute => (value ? 1 : 0);

/** Position in [N,C,H,W] of an axis of [N,H,W,C]. */
export const imageAxis = (axis: number): number => [0, 2, 3, 1][axis]!;

const opposite = (order: Order): Order => (order === "as it is" ? "channels first" : "as it is");

const keyOf = ({ id }: Tensor, order: Order): string => `${id} ${order}`;

/** A value whose axes are those of an image in ONNX. */
export const image = (name: string): Converted => ({ name, order: "channels first" });

/** A value whose axes stay as they are. */
export const plain = (name: string): Converted => ({ name, order: "as it is" });

/** An op's recorded options; the caller knows their type from the op. */
export const optionsOf = <T>({ options }: Call): T => options as T;
