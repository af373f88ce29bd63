import { activation, type Activation } from "../ops/activation.ts";
import { cast } from "../ops/cast.ts";
import { add, multiply, scalar } from "../ops/elementwise.ts";
import { matmul } from "../ops/matmul.ts";
import { recompute } from "../ops/recompute.ts";
import { layerNorm as normalised, softmax } from "../ops/rows.ts";
import { reshape, transpose } from "../ops/shape.ts";
import { countOf, type Tensor } from "../tensor/tensor.ts";
import { within, type LayerContext } from "./layers.ts";

/** A linear layer: `[..., I]` -> `[..., O]`, f32, followed by an activation if one is given. */
export type Linear = (input: Tensor, then?: Activation | null) => Tensor;

/** Largest initial weight of Xavier's uniform distribution. */
const xavier = (inputs: number, outputs: number): number => Math.sqrt(6 / (inputs + outputs));

/** Options of a linear layer. */
export interface LinearOptions {
  /** Largest initial weight. Default: Xavier's. */
  readonly bound?: number;
  /** Default true. */
  readonly bias?: boolean;
}

/**
 * A linear layer: weights uniform in [-bound, bound], biases 0. Where weights are frozen in f16, it multiplies in f16;
 * input and output stay f32.
 */
export function linear(
  { weights, prefix, random }: LayerContext,
  inputs: number,
  outputs: number,
  { bound = xavier(inputs, outputs), bias: hasBias = true }: LinearOptions = {},
): Linear {
  const weight = weights.filled(`${prefix}.weight`, [inputs, outputs], () => bound * (2 * random.unit() - 1));
  const bias = hasBias ? weights.filled(`${prefix}.bias`, [outputs], () => 0) : null;
  const half = weights.derived<{ readonly weight?: Tensor }>([weight], (dtype) =>
    dtype === "f16" ? { weight: cast(weight, dtype) } : {},
  );
  const inHalf = (rows: Tensor, narrow: Tensor, then: Activation | null): Tensor => {
    const product = cast(matmul(cast(rows, "f16"), narrow), "f32");
    const sum = bias ? add(product, bias) : product;
    return then ? activation(sum, then) : sum;
  };
  return (input, then = null) => {
    const rows = reshape(input, [countOf(input.shape) / inputs, inputs]);
    const narrow = half()?.weight;
    const output = narrow ? inHalf(rows, narrow, then) : matmul(rows, weight, { bias, activation: then });
    return reshape(output, [...input.shape.slice(0, -1), outputs]);
  };
}

/** Layer norm along the last axis, with weight 1, bias 0, eps 1e-5. */
export function layerNorm({ weights, prefix }: LayerContext, channels: number): (input: Tensor) => Tensor {
  const affine = weights.filled(`${prefix}.affine`, [2, channels], (i) => (i < channels ? 1 : 0));
  return (input) => normalised(input, affine);
}

/**
 * Dropout at many places: each call returns that of the next place, with random numbers of its own. What it returns
 * drops the same elements each time.
 */
export type Dropping = () => (input: Tensor) => Tensor;

/** No dropout. */
export const keepAll: Dropping = () => (input) => input;

/** Tensors and options of an attention. */
export interface AttentionOptions {
  /** `[T, S]`, added to the products of queries and keys before the softmax; null for none. */
  readonly mask: Tensor | null;
  /** Dropout of the softmax: one place. */
  readonly dropping: Dropping;
}

/** Queries `[N, T, C]`, keys `[N, S, C]` and values `[N, S, C]` -> `[N, T, C]`. */
export type Attention = (query: Tensor, key: Tensor, value: Tensor, options: AttentionOptions) => Tensor;

/**
 * Multi-head attention between linear layers, of equal channels. Training keeps nothing of the extent `[T, S]`:
 * products and softmax are computed again for their gradients. Keys have no bias: the softmax would take it away again.
 * @param heads a divisor of the channels
 * @see torch.nn.MultiheadAttention, whose initial weights it has
 */
export function attention(context: LayerContext, channels: number, heads: number): Attention {
  const bound = xavier(channels, 3 * channels); // the three as one matrix
  const projection = (name: string, bias = true): Linear =>
    linear(within(context, name), channels, channels, { bound, bias });
  const [queries, keys, values] = [projection("query"), projection("key", false), projection("value")];
  const out = linear(within(context, "out"), channels, channels);
  return (query, key, value, { mask, dropping }) => {
    const drop = dropping();
    const projected = [queries(query), keys(key), values(value)] as const;
    return out(recompute(() => attended(projected, heads, mask, drop), projected));
  };
}

function attended(
  [query, key, value]: readonly [Tensor, Tensor, Tensor],
  heads: number,
  mask: Tensor | null,
  drop: (input: Tensor) => Tensor,
): Tensor {
  const [images, tokens, channels] = query.shape as [number, number, number];
  const ofEach = channels / heads;
  /** `[N, L, C]` -> `[N heads, L, C / heads]` */
  const split = (all: Tensor): Tensor => {
    const length = all.shape[1]!;
    const apart = transpose(reshape(all, [images, length, heads, ofEach]), [0, 2, 1, 3]);
    return reshape(apart, [images * heads, length, ofEach]);
  };
  const scaled = multiply(query, scalar(query.device, 1 / Math.sqrt(ofEach)));
  const products = matmul(split(scaled), split(key), { transposeB: true });
  const shares = drop(softmax(mask ? add(products, mask) : products));
  const found = reshape(matmul(shares, split(value)), [images, heads, tokens, ofEach]);
  return reshape(transpose(found, [0, 2, 1, 3]), [images, tokens, channels]);
}
