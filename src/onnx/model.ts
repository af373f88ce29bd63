// An ONNX model as plain data: what of the format is used here.

/**
 * `FLOAT` and `UINT8` for what goes in and comes out, `INT64` for shapes; with the numbers that the format has for
 * them.
 */
export const DTYPES = { FLOAT: 1, UINT8: 2, INT64: 7 } as const;
export type OnnxDType = keyof typeof DTYPES;

/** A constant of the graph. */
export interface OnnxTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array | BigInt64Array;
}

/** A whole number where it is one, whole numbers, a text; other numbers as `{ float }`. */
export type OnnxAttribute = number | readonly number[] | string | { readonly float: number };

export interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** What goes in or comes out; a text in a shape names an extent that is free. */
export interface OnnxValue {
  readonly name: string;
  readonly dtype: OnnxDType;
  readonly shape: readonly (number | string)[];
  readonly description: string;
}

export interface OnnxModel {
  readonly name: string;
  readonly description: string;
  readonly producer: { readonly name: string; readonly version: string };
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  /** In an order in which each can run. */
  readonly nodes: readonly OnnxNode[];
  readonly constants: readonly OnnxTensor[];
  readonly metadata: Readonly<Record<string, string>>;
}
