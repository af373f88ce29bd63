import {
  activate,
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
} from "../../nn/layers.ts";

/**
 * The decoders, smallest first: `tiny`, the default, trains in minutes on any adapter; `compact` is four times its work,
 * for a normal grid alone that is to reconstruct shapes; `mobile` is as published, `basic` as in the paper's tables.
 */
export const DECODERS = ["tiny", "compact", "mobile", "basic"] as const;
/** One of them. */
export type DecoderName = (typeof DECODERS)[number];

/** Width of the decoders that are narrower than their queries, and of the layers inside their blocks. */
const NARROW = { tiny: { width: 48, expanded: 48 }, compact: { width: 96, expanded: 192 } } as const;

/** Queries `[N,H,W,Q]` -> reconstruction `[N,H,W,C]`, through so many blocks. */
export function decoder(
  context: LayerContext,
  name: DecoderName,
  count: number,
  queries: number,
  channels: number,
): Layer {
  const blocks = (make: (context: LayerContext) => Layer) =>
    Array.from({ length: count }, (_, i) => block(within(context, `block${i}`), make));
  const last = (inputs: number) => pointwise(within(context, "out"), inputs, channels, false);
  switch (name) {
    case "basic":
      return sequence(...blocks((at) => basicBlock(at, queries)), last(queries));
    case "mobile":
      return sequence(...blocks((at) => bottleneck(at, queries, 2 * queries)), last(queries));
    case "compact":
    case "tiny": {
      const { width, expanded } = NARROW[name];
      return sequence(
        pointwise(within(context, "in"), queries, width, false),
        ...blocks((at) => bottleneck(at, width, expanded)),
        last(width),
      );
    }
  }
}

/** ResNet's BasicBlock: two 3x3 convolutions around the identity. */
function basicBlock(context: LayerContext, channels: number): Layer {
  return sequence(
    residual(
      sequence(
        conv3x3(within(context, "conv1"), channels, channels),
        norm(within(context, "norm1"), channels),
        activate("relu"),
        conv3x3(within(context, "conv2"), channels, channels),
        norm(within(context, "norm2"), channels),
      ),
    ),
    activate("relu"),
  );
}

/** MobileNetV3's bottleneck: expand, depthwise 3x3, squeeze and excitation, project, around the identity. */
function bottleneck(context: LayerContext, channels: number, expanded: number): Layer {
  return residual(
    sequence(
      pointwise(within(context, "expand"), channels, expanded, false),
      norm(within(context, "norm1"), expanded),
      activate("hswish"),
      depthwise3x3(within(context, "depthwise"), expanded),
      norm(within(context, "norm2"), expanded),
      squeezeExcitation(within(context, "gate"), expanded),
      activate("hswish"),
      pointwise(within(context, "project"), expanded, channels, false),
      norm(within(context, "norm3"), channels),
    ),
  );
}
