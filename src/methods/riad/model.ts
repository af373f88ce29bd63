import type { Layer, Mode } from "../../nn/layers.ts";
import type { Weights } from "../../nn/weights.ts";
import { add, multiply, scalar, subtract } from "../../ops/elementwise.ts";
import { mseLoss } from "../../ops/losses.ts";
import { averagePool } from "../../ops/pool.ts";
import { resize } from "../../ops/resize.ts";
import { pad, reshape } from "../../ops/shape.ts";
import { RandomStream } from "../../tensor/random.ts";
import { countOf, type Tensor } from "../../tensor/tensor.ts";
import type { CellScores, Model } from "../method.ts";
import { cropped, drawnPasses, gridShape, hiddenPixels } from "./cells.ts";
import { seenExtents, type RiadConfig } from "./config.ts";
import type { RiadSettings } from "./options.ts";
import { gradientLoss, gradientMap, structuralLoss } from "./similarity.ts";
import { unet, unetSide } from "./unet.ts";

/** Weights of the loss' parts. */
export type LossWeights = Pick<RiadSettings, "mseWeight" | "gmsWeight" | "ssimWeight">;

// Philox streams of what is drawn once.
const STREAM = { weights: 0, passes: 4 };

/**
 * RIAD: a network paints the squares of an image that are hidden from it; an image that it cannot paint is anomalous
 * there.
 * @see Zavrtanik et al., "Reconstruction by inpainting for visual anomaly detection", 2021
 */
export class RiadModel implements Model {
  readonly weights: Weights;
  readonly config: RiadConfig;
  /** Extents of what the network sees. */
  readonly seen: ReturnType<typeof seenExtents>;
  readonly #network: Layer;
  /** For each size of the squares, the pass that hides each of them where images are scored. */
  readonly #passes: readonly (readonly [cellSize: number, passes: Tensor])[];

  /** @param seed of the initial weights, and of the squares that are hidden in scoring, where they are not stored */
  constructor(weights: Weights, config: RiadConfig, seed: number) {
    [this.weights, this.config, this.seen] = [weights, config, seenExtents(config)];
    const random = new RandomStream(seed, STREAM.weights);
    this.#network = unet({ weights, prefix: "unet", random }, config.channels, config.baseWidth);
    this.#passes = [...new Set(config.cellSizes)].map((cellSize) => {
      const shape = gridShape(this.seen, cellSize);
      const drawn = drawnPasses(countOf(shape), new RandomStream(seed, STREAM.passes, cellSize));
      return [cellSize, weights.state(`passes.${cellSize}`, shape, (cell) => drawn[cell]!)];
    });
  }

  get summary(): Model["summary"] {
    const { baseWidth, cellSizes } = this.config;
    const { height, width } = this.seen;
    return [
      ["Network", `U-Net of ${baseWidth} to ${8 * baseWidth} channels, at ${width} x ${height} pixels`],
      ["Hidden", `squares of ${[...new Set(cellSizes)].join(", ")} pixels`],
    ];
  }

  /**
   * Reduces images to what the network sees.
   * @param images `[N, H, W, C]`
   */
  reduce(images: Tensor): Tensor {
    const { height, width, factor } = this.seen;
    if (factor === 1) return images;
    const extents = [height * factor, width * factor] as const;
    const fits = extents[0] === images.shape[1] && extents[1] === images.shape[2];
    return averagePool(fits ? images : resize(images, extents), [factor, factor]);
  }

  /**
   * Puts an image together from what the network paints of what each pass hides.
   * @param images `[N, H, W, C]`, from -1 to 1, as `reduce` gives them
   * @param hidden as `hiddenPixels` makes them
   */
  reconstruct(images: Tensor, hidden: readonly Tensor[], mode: Mode): Tensor {
    const one = scalar(images.device, 1);
    const painted = hidden.map((mask) => multiply(this.#paint(multiply(images, subtract(one, mask)), mode), mask));
    return painted.reduce(add);
  }

  /** The loss `[1]` of a batch of reduced images in training, and its parts before they are weighted. */
  losses(images: Tensor, hidden: readonly Tensor[], weights: LossWeights): readonly [loss: Tensor, ...parts: Tensor[]] {
    const painted = this.reconstruct(images, hidden, "training");
    const parts = [
      [mseLoss(painted, images), weights.mseWeight],
      [gradientLoss(images, painted), weights.gmsWeight],
      [structuralLoss(images, painted), weights.ssimWeight],
    ] as const;
    const weighted = parts.map(([part, weight]) => multiply(part, scalar(images.device, weight)));
    return [weighted.reduce(add), ...parts.map(([part]) => part)];
  }

  score(photographs: Tensor): CellScores {
    const images = this.reduce(photographs);
    const maps = this.#passes.map(([cellSize, passes]) =>
      gradientMap(images, this.reconstruct(images, hiddenPixels(passes, cellSize, this.seen), "inference")),
    );
    const map = multiply(maps.reduce(add), scalar(images.device, 1 / maps.length));
    return { map: reshape(map, images.shape.slice(0, 3)) };
  }

  /** The network on images of any extents: what is missing to those that it takes is zeros, which are cut off again. */
  #paint(images: Tensor, mode: Mode): Tensor {
    const { height, width } = this.seen;
    const [below, right] = [unetSide(height) - height, unetSide(width) - width];
    if (below === 0 && right === 0) return this.#network(images, mode);
    const amounts = [
      [0, 0],
      [0, below],
      [0, right],
      [0, 0],
    ] as const;
    return cropped(this.#network(pad(images, amounts), mode), height, width);
  }
}
