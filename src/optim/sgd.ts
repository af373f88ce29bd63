import { readOptions } from "../runtime/options.ts";
import { sgdUpdate } from "../kernels/optimizer.ts";
import { OptionError } from "../runtime/errors.ts";
import { Optimizer, type GradientOptions, type ParameterGroup, type Update } from "./optimizer.ts";

/** Options of `Sgd`. */
export interface SgdOptions extends GradientOptions {
  /** Factor of the previous velocity. Default 0. */
  readonly momentum?: number;
  /** Nesterov's momentum. Default false. */
  readonly nesterov?: boolean;
  /** Weight decay, added to the gradient. Default 0. */
  readonly weightDecay?: number;
}

/**
 * Stochastic gradient descent with momentum over groups of parameters, updated in place.
 * @throws as `Optimizer`; OptionError for an option out of range or unknown
 * @see torch.optim.SGD, torch.nn.utils.clip_grad_norm_
 */
export class Sgd extends Optimizer {
  readonly #options: Required<SgdOptions>;

  constructor(groups: readonly ParameterGroup[], options: SgdOptions = {}) {
    const settings = readOptions<Required<SgdOptions>>("Sgd", options, {
      momentum: 0,
      nesterov: false,
      weightDecay: 0,
      maxNorm: Infinity,
      gradientScale: 1,
    });
    const { momentum, nesterov, weightDecay } = settings;
    if (!(momentum >= 0 && momentum < 1 && weightDecay >= 0)) {
      throw new OptionError(
        `Sgd: expected momentum in [0, 1) and weightDecay of at least 0, got ${momentum} and ${weightDecay}`,
      );
    }
    if (nesterov && momentum === 0) throw new OptionError("Sgd: expected momentum > 0 with nesterov, got 0");
    super("Sgd", groups, 1, settings);
    this.#options = settings;
  }

  protected update({ moments, range, ...tensors }: Update): void {
    sgdUpdate({ ...tensors, m: moments[0]! }, range, this.#options);
  }

  protected corrections(): readonly [number, number] {
    return [1, 1];
  }
}
