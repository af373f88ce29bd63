import { attention, layerNorm, linear, type Dropping } from "../../nn/attention.ts";
import { within, type LayerContext } from "../../nn/layers.ts";
import { add } from "../../ops/elementwise.ts";
import { broadcastTo, concat, reshape } from "../../ops/shape.ts";
import type { Device } from "../../runtime/device.ts";
import { fromArray, type Tensor } from "../../tensor/tensor.ts";
import type { UniAdConfig } from "./config.ts";

const MASKED = -1e9; // added to a product, it leaves a share of exactly 0

/** Inputs of all layers of a transformer besides tokens. */
export interface Surroundings {
  /** `[1, T, C]`: added to queries and keys. */
  readonly position: Tensor;
  /** `[T, T]`: added to the products of queries and keys; null for none. */
  readonly mask: Tensor | null;
  readonly dropping: Dropping;
}

/** Tokens `[N, T, C]` -> `[N, T, C]`. */
export type Transformer = (tokens: Tensor, surroundings: Surroundings) => Tensor;

/** Learned positions of cells, `[1, T, C]`: half of the channels by the column, half by the row. */
export function positions(
  { weights, prefix, random }: LayerContext,
  { height, width, hidden }: UniAdConfig,
): { readonly tables: readonly Tensor[]; readonly make: () => Tensor } {
  const table = (name: string, count: number): Tensor =>
    weights.filled(`${prefix}.${name}`, [count, hidden / 2], () => random.unit());
  const [rows, columns] = [table("rows", height), table("columns", width)];
  const everywhere = [height, width, hidden / 2];
  const make = (): Tensor => {
    const [across, down] = [
      broadcastTo(reshape(columns, [1, width, hidden / 2]), everywhere),
      broadcastTo(reshape(rows, [height, 1, hidden / 2]), everywhere),
    ];
    return reshape(concat([across, down]), [1, height * width, hidden]);
  };
  return { tables: [rows, columns], make };
}

/** The mask `[T, T]` that hides from each cell the square of neighbours around it; null for a window of 0. */
export function neighbourMask(device: Device, { height, width, window }: UniAdConfig): Tensor | null {
  if (window === 0) return null;
  const [tokens, reach] = [height * width, (window - 1) / 2];
  const values = new Float32Array(tokens * tokens);
  for (let i = 0; i < tokens; i++) {
    for (let j = 0; j < tokens; j++) {
      const down = Math.abs(Math.floor(i / width) - Math.floor(j / width));
      const across = Math.abs((i % width) - (j % width));
      if (down <= reach && across <= reach) values[i * tokens + j] = MASKED;
    }
  }
  return fromArray(device, [tokens, tokens], values);
}

/**
 * UniAD's transformer: an encoder, a decoder whose layers each begin with a learned query of their own, and a layer
 * norm.
 * @see You et al., "A unified model for multi-class anomaly detection", NeurIPS 2022
 */
export function transformer(context: LayerContext, config: UniAdConfig): Transformer {
  const times = <T>(name: string, make: (at: LayerContext, config: UniAdConfig) => T): T[] =>
    Array.from({ length: config.layers }, (_, i) => make(within(context, `${name}.layer${i}`), config));
  const encoders = times("encoder", encoderLayer);
  const decoders = times("decoder", decoderLayer);
  const norm = layerNorm(within(context, "norm"), config.hidden);
  return (tokens, surroundings) => {
    const memory = encoders.reduce((seen, layer) => layer(seen, surroundings), tokens);
    const keys = add(memory, surroundings.position);
    const decoded = decoders.reduce((seen, layer) => layer(seen, { memory, keys }, surroundings), memory);
    return norm(decoded);
  };
}

/** Attention among the tokens, then a feed-forward network, each added to what it was given and normed. */
function encoderLayer(context: LayerContext, config: UniAdConfig): Transformer {
  const { hidden, attentionHeads: heads } = config;
  const attend = attention(within(context, "attention"), hidden, heads);
  const norm = layerNorm(within(context, "norm1"), hidden);
  const forward = feedForward(context, config, "norm2");
  return (tokens, { position, mask, dropping }) => {
    const placed = add(tokens, position);
    const found = attend(placed, placed, tokens, { mask, dropping });
    return forward(norm(add(tokens, dropping()(found))), dropping);
  };
}

/** The encoder's tokens, and the same with positions. */
interface Memory {
  readonly memory: Tensor;
  readonly keys: Tensor;
}

/**
 * Attention of a learned query to the encoder's tokens, then of what it found to the tokens of the layer before, then a
 * feed-forward network; each added to what it was given and normed.
 */
function decoderLayer(
  context: LayerContext,
  config: UniAdConfig,
): (tokens: Tensor, memory: Memory, surroundings: Surroundings) => Tensor {
  const { height, width, hidden, attentionHeads: heads } = config;
  const query = context.weights.normal(`${context.prefix}.query`, [height * width, hidden], 1, context.random);
  const [first, second] = ["attention1", "attention2"].map((name) => attention(within(context, name), hidden, heads));
  const [norm1, norm2] = ["norm1", "norm2"].map((name) => layerNorm(within(context, name), hidden));
  const forward = feedForward(context, config, "norm3");
  return (tokens, { memory, keys }, { position, mask, dropping }) => {
    const asked = broadcastTo(query, memory.shape);
    const found = first!(add(asked, position), keys, memory, { mask, dropping });
    const known = norm1!(add(asked, dropping()(found)));
    const refined = second!(add(known, position), add(tokens, position), tokens, { mask, dropping });
    return forward(norm2!(add(known, dropping()(refined))), dropping);
  };
}

/** Two linear layers with ReLU between them, added to their input and normed. */
function feedForward(
  context: LayerContext,
  { hidden, feedForward: inner }: UniAdConfig,
  normName: string,
): (tokens: Tensor, dropping: Dropping) => Tensor {
  const widen = linear(within(context, "linear1"), hidden, inner);
  const narrow = linear(within(context, "linear2"), inner, hidden);
  const norm = layerNorm(within(context, normName), hidden);
  return (tokens, dropping) => {
    const wide = dropping()(widen(tokens, "relu"));
    return norm(add(tokens, dropping()(narrow(wide))));
  };
}
