import type { Device } from "../runtime/device.ts";
import { dispose } from "../runtime/disposal.ts";
import { InputError, UsageError } from "../runtime/errors.ts";
import { nonFinite } from "../tensor/finite.ts";
import {
  countOf,
  fromArray,
  release,
  requireGrad,
  sameShape,
  type FloatDType,
  type Shape,
  type Tensor,
} from "../tensor/tensor.ts";
import type { RandomStream } from "../tensor/random.ts";

/** Values of a model's tensors by name, as read from a file. */
export type StoredTensors = ReadonlyMap<string, { readonly shape: Shape; readonly data: Float32Array }>;

/**
 * Source of a model's parameters and states: drawn from a seed, or loaded from stored tensors. Layers request each by
 * name; the names are those in the model file.
 */
export class Weights implements Disposable {
  readonly device: Device;
  /** Trained by gradients. */
  readonly parameters = new Map<string, Tensor>();
  /** Updated by other means: running statistics. */
  readonly states = new Map<string, Tensor>();
  #valuesOf: (name: string, shape: Shape, draw: () => Float32Array) => Float32Array;
  readonly #derived: {
    readonly make: (dtype: FloatDType) => readonly Tensor[];
    readonly parameters: readonly Tensor[];
  }[] = [];
  #frozen: { readonly dtype: FloatDType; readonly derived: readonly Tensor[] } | null = null;

  private constructor(
    device: Device,
    valuesOf: (name: string, shape: Shape, draw: () => Float32Array) => Float32Array,
  ) {
    this.device = device;
    this.#valuesOf = valuesOf;
  }

  /** Draws initial values from a seed. */
  static drawn(device: Device): Weights {
    return new Weights(device, (_name, _shape, draw) => draw());
  }

  /** Zeros, to measure what a model needs. */
  static blank(device: Device): Weights {
    return new Weights(device, (_name, shape) => new Float32Array(countOf(shape)));
  }

  /** Stored values. Requesting one that is missing, of another shape, or not finite throws InputError. */
  static stored(device: Device, tensors: StoredTensors, source: string): Weights {
    return new Weights(device, (name, shape) => requireStored(tensors.get(name), name, shape, source));
  }

  /**
   * Stored values for a model that may have another number of rows: as many rows of a matrix as there is room for, and
   * its first one in place of those that are missing. Throws as `stored` for all else.
   */
  static resized(device: Device, tensors: StoredTensors, source: string): Weights {
    return new Weights(device, (name, shape) => requireStored(withRows(tensors.get(name), shape), name, shape, source));
  }

  /** Draws the initial values of tensors requested from here on, which a state that was stored earlier does not have. */
  drawFromHere(): void {
    this.#valuesOf = (_name, _shape, draw) => draw();
  }

  /** A parameter with normal initial values of mean 0; draws from `random` only if they are needed. */
  normal(name: string, shape: Shape, std: number, random: RandomStream): Tensor {
    return this.#parameter(name, shape, () => random.normals(countOf(shape), std));
  }

  /** A parameter with given initial values. */
  filled(name: string, shape: Shape, value: (index: number) => number): Tensor {
    return this.#parameter(name, shape, () => filledWith(shape, value));
  }

  /** A state with given initial values. */
  state(name: string, shape: Shape, value: (index: number) => number): Tensor {
    const tensor = fromArray(
      this.device,
      shape,
      this.#valuesOf(name, shape, () => filledWith(shape, value)),
    );
    this.states.set(name, tensor);
    return tensor;
  }

  /**
   * Tensors derived from weights alone, such as convolutions with a norm folded in: null until the weights are frozen.
   * @param parameters parameters or states that the derived tensors replace in f16
   * @param make called once, by `freeze`, with the dtype given there
   */
  derived<T extends Readonly<Record<string, Tensor>>>(
    parameters: readonly Tensor[],
    make: (dtype: FloatDType) => T,
  ): () => T | null {
    let made: T | null = null;
    this.#derived.push({ make: (dtype) => Object.values((made = make(dtype))), parameters });
    return () => made;
  }

  /**
   * Freezes the weights: computes and keeps what is derived from them. Later calls have no effect.
   * @param dtype dtype of the derived tensors. In f16 they replace their parameters, which are released; such weights
   *   cannot be saved
   */
  freeze(dtype: FloatDType = "f32"): void {
    if (this.#frozen) return;
    const derived: Tensor[] = [];
    const left = new Map<Tensor, number>(); // number of derived tensors still to be computed from each
    for (const { parameters } of this.#derived)
      for (const tensor of parameters) left.set(tensor, (left.get(tensor) ?? 0) + 1);
    for (const { make, parameters } of this.#derived) {
      derived.push(...make(dtype));
      for (const tensor of parameters) left.set(tensor, left.get(tensor)! - 1);
      if (dtype === "f32") continue;
      parameters.filter((tensor) => left.get(tensor) === 0).forEach((tensor) => this.#giveBack(tensor));
      this.device.trim(); // at once, as otherwise more than the f32 weights would be held
    }
    this.#frozen = { dtype, derived };
  }

  #giveBack(source: Tensor): void {
    for (const tensors of [this.parameters, this.states]) {
      for (const [name, tensor] of tensors) if (tensor === source) tensors.delete(name);
    }
    release(source);
  }

  /** The dtype in which the weights are frozen; null while they may change. */
  get frozen(): FloatDType | null {
    return this.#frozen?.dtype ?? null;
  }

  /** All tensors by name: the contents of a model file. */
  all(): ReadonlyMap<string, Tensor> {
    return new Map([...this.parameters, ...this.states]);
  }

  /** Releases all storage. */
  release(): void {
    for (const tensor of [...this.all().values(), ...(this.#frozen?.derived ?? [])]) release(tensor);
  }

  /** The same as `release`, for `using`. */
  [dispose](): void {
    this.release();
  }

  #parameter(name: string, shape: Shape, draw: () => Float32Array): Tensor {
    if (this.parameters.has(name)) throw new UsageError(`two parameters are called ${name}`);
    const tensor = requireGrad(fromArray(this.device, shape, this.#valuesOf(name, shape, draw)));
    this.parameters.set(name, tensor);
    return tensor;
  }
}

type StoredTensor = { readonly shape: Shape; readonly data: Float32Array } | undefined;

/** @throws InputError for a tensor that is missing, of another shape, or not finite */
function requireStored(tensor: StoredTensor, name: string, shape: Shape, source: string): Float32Array {
  if (!tensor) throw new InputError(`${source}: tensor ${name} [${shape.join(",")}] is missing`);
  if (!sameShape(tensor.shape, shape)) {
    throw new InputError(
      `${source}: expected tensor ${name} to be [${shape.join(",")}], it is [${tensor.shape.join(",")}]`,
    );
  }
  const wrong = nonFinite(tensor.data);
  if (wrong) throw new InputError(`${source}: tensor ${name} holds ${wrong}: the file is damaged`);
  return tensor.data;
}

/** A stored matrix with as many rows as a shape has; anything else as it is. */
function withRows(tensor: StoredTensor, shape: Shape): StoredTensor {
  const [wanted, columns] = shape;
  const isOther = tensor?.shape.length === 2 && shape.length === 2 && tensor.shape[1] === columns;
  if (!isOther || tensor.shape[0] === wanted) return tensor;
  const data = new Float32Array(wanted! * columns!);
  for (let row = 0; row < wanted!; row++) {
    const from = row < tensor.shape[0]! ? row * columns! : 0;
    data.set(tensor.data.subarray(from, from + columns!), row * columns!);
  }
  return { shape, data };
}

/** Numbers of a shape, each of its index. */
function filledWith(shape: Shape, value: (index: number) => number): Float32Array {
  const values = new Float32Array(countOf(shape)); // a loop: Float32Array.from takes ten times as long
  for (let i = 0; i < values.length; i++) values[i] = value(i);
  return values;
}
