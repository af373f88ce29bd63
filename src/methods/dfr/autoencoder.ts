import {
  activate,
  inStorage,
  norm,
  pointwise,
  sequence,
  within,
  type Layer,
  type LayerContext,
} from "../../nn/layers.ts";
import { add } from "../../ops/elementwise.ts";

/**
 * The autoencoder `[..., C]` -> `[..., C]`: 1x1 convolutions to (C + 2d) / 2, 2d, d, 2d, (C + 2d) / 2 and C channels,
 * with batch norm and ReLU behind all but the latent one and the last. Only the last has a bias: the others' would be
 * lost in the batch norms behind them.
 * @param latent d
 * @see Yang et al., "DFR: deep feature reconstruction for unsupervised anomaly segmentation", 2020
 */
export function autoencoder(context: LayerContext, channels: number, latent: number): Layer {
  const middle = (channels + 2 * latent) >> 1;
  const layer = (name: string, inputs: number, outputs: number): Layer => {
    const std = 1 / Math.sqrt(3 * inputs); // of PyTorch's uniform ones
    return pointwise(within(context, name), inputs, outputs, false, std);
  };
  const normed = (name: string, inputs: number, outputs: number): Layer[] => [
    layer(name, inputs, outputs),
    norm(within(context, `${name}.norm`), outputs),
    activate("relu"),
  ];
  const layers = sequence(
    ...normed("encoder.layer1", channels, middle),
    ...normed("encoder.layer2", middle, 2 * latent),
    layer("encoder.latent", 2 * latent, latent),
    ...normed("decoder.layer1", latent, 2 * latent),
    ...normed("decoder.layer2", 2 * latent, middle),
    layer("decoder.out", middle, channels),
  );
  const bias = context.weights.filled(`${context.prefix}.decoder.out.bias`, [channels], () => 0);
  const whole = inStorage(context, layers);
  return (input, mode) => add(whole(input, mode), bias);
}
