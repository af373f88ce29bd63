import { adamwUpdate, clipFactor } from "../kernels/adamw.ts";
import { concatForward } from "../kernels/concat.ts";
import { sumProducts } from "../kernels/reduce.ts";
import { countOf, release, zeros, type Tensor } from "../tensor/tensor.ts";

export interface ParameterGroup {
  readonly parameters: readonly Tensor[];
  /** Learning rate. */
  readonly rate: number;
}

export interface AdamWOptions {
  /** Default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Default 1e-8. */
  readonly eps?: number;
  /** Decoupled weight decay. Default 0.01. */
  readonly decay?: number;
  /** Gradients are scaled so that their norm, over all groups, is at most this. Default: no limit. */
  readonly maxNorm?: number;
}

const NO_LIMIT = 3e38; // a norm that no f32 gradients reach

/**
 * AdamW over groups of parameters, which it updates in place, with the gradients' global norm clipped on the GPU.
 * @see torch.optim.AdamW, torch.nn.utils.clip_grad_norm_
 */
export class AdamW {
  readonly parameters: readonly Tensor[];
  readonly #slots: readonly { readonly parameter: Tensor; readonly rate: number; readonly m: Tensor; readonly v: Tensor }[];
  readonly #options: Required<AdamWOptions>;
  #step = 0;

  constructor(groups: readonly ParameterGroup[], { betas = [0.9, 0.999], eps = 1e-8, decay = 0.01, maxNorm = NO_LIMIT }: AdamWOptions = {}) {
    this.#options = { betas, eps, decay, maxNorm };
    this.#slots = groups.flatMap(({ parameters, rate }) =>
      parameters.map((parameter) => ({ parameter, rate, m: zeros(parameter.device, parameter.shape), v: zeros(parameter.device, parameter.shape) })),
    );
    this.parameters = this.#slots.map(({ parameter }) => parameter);
  }

  /**
   * One step.
   * @param grads one for each of `parameters`, in that order; null leaves that one as it is
   * @param rateScale multiplies every group's learning rate
   */
  step(grads: readonly (Tensor | null)[], rateScale = 1): void {
    const { betas, eps, decay, maxNorm } = this.#options;
    const present = grads.filter((grad) => grad !== null);
    if (present.length === 0) return;
    using _scope = present[0]!.device.scope();
    this.#step++;
    const squares = present.map((grad) => sumProducts(grad, grad, { groups: 1, extent: countOf(grad.shape), channels: 1 }, [1]));
    const factor = clipFactor(concatForward(squares), maxNorm);
    this.#slots.forEach(({ parameter, rate, m, v }, i) => {
      const grad = grads[i];
      if (!grad) return;
      adamwUpdate(parameter, m, v, grad, factor, { rate: rate * rateScale, beta1: betas[0], beta2: betas[1], eps, decay, step: this.#step });
    });
  }

  /** Gives the moments' storage back. */
  release(): void {
    for (const { m, v } of this.#slots) {
      release(m);
      release(v);
    }
  }
}
