// Layers and weights of networks: what backbones and models are made of.
export {
  attention,
  keepAll,
  layerNorm,
  linear,
  type Attention,
  type AttentionOptions,
  type Dropping,
  type Linear,
  type LinearOptions,
} from "./attention.ts";
export {
  activate,
  inStorage,
  block,
  conv3x3,
  depthwise3x3,
  norm,
  pointwise,
  residual,
  sequence,
  squeezeExcitation,
  within,
  type Layer,
  type LayerContext,
  type Mode,
} from "./layers.ts";
export { Weights, type StoredTensors } from "./weights.ts";
