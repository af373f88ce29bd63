import { readOptions } from "../runtime/options.ts";
import { adamUpdate } from "../kernels/optimizer.ts";
import { OptionError } from "../runtime/errors.ts";
import { Optimizer, type GradientOptions, type ParameterGroup, type Update } from "./optimizer.ts";

/** Options of `Adam` and `AdamW`. */
export interface AdamOptions extends GradientOptions {
  /** Default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Default 1e-8. */
  readonly eps?: number;
  /** Weight decay: decoupled for AdamW (default 0.01), added to the gradient for Adam (default 0). */
  readonly weightDecay?: number;
}

/**
 * Adam over groups of parameters, updated in place.
 * @throws as `Optimizer`; OptionError for an option out of range or unknown
 * @see torch.optim.Adam, torch.nn.utils.clip_grad_norm_
 */
export class Adam extends Optimizer {
  readonly #options: Required<AdamOptions>;
  readonly #decoupled: boolean;

  constructor(groups: readonly ParameterGroup[], options: AdamOptions = {}, decoupled = false) {
    const name = decoupled ? "AdamW" : "Adam";
    const settings = readOptions<Required<AdamOptions>>(name, options, {
      betas: [0.9, 0.999],
      eps: 1e-8,
      weightDecay: decoupled ? 0.01 : 0,
      maxNorm: Infinity,
      gradientScale: 1,
    });
    const { betas, eps, weightDecay } = settings;
    if (!(betas.every((beta) => beta >= 0 && beta < 1) && eps >= 0 && weightDecay >= 0)) {
      throw new OptionError(
        `${name}: expected betas in [0, 1), eps and weightDecay of at least 0, got ${betas.join(",")}, ${eps} and ${weightDecay}`,
      );
    }
    super(name, groups, 2, settings);
    this.#options = settings;
    this.#decoupled = decoupled;
  }

  protected update({ moments, range, ...tensors }: Update): void {
    const [m, v] = moments as [Update["weights"], Update["weights"]];
    const { betas, eps, weightDecay } = this.#options;
    adamUpdate({ ...tensors, m, v }, range, { betas, eps, weightDecay, decoupled: this.#decoupled });
  }

  protected corrections(step: number): readonly [number, number] {
    const [beta1, beta2] = this.#options.betas;
    return [1 - beta1 ** step, 1 - beta2 ** step];
  }
}

/**
 * AdamW over groups of parameters, updated in place: Adam with decoupled weight decay.
 * @throws as `Adam`
 * @see torch.optim.AdamW, torch.nn.utils.clip_grad_norm_
 */
export class AdamW extends Adam {
  constructor(groups: readonly ParameterGroup[], options: AdamOptions = {}) {
    super(groups, options, true);
  }
}
