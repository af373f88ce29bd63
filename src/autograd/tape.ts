import { OptionError, ShapeError, UsageError } from "../runtime/errors.ts";
import type { Allocation } from "../runtime/pool.ts";
import { requireLive, sameShape, type Tensor } from "../tensor/tensor.ts";
import { list } from "./listing.ts";

/** Computes the gradient of one input of an op from the gradient of the op's output. */
export type Pullback = (gradOutput: Tensor) => Tensor;

interface Entry {
  readonly op: string;
  readonly output: Tensor;
  readonly inputs: readonly { readonly tensor: Tensor; readonly pullback: Pullback }[];
}

let active: Entry[] | null = null;

/**
 * Records on the running tape how `output` was computed from its inputs. An input that needs no gradient is left out,
 * so its pullback never runs. Records nothing without a running tape, or if no input needs a gradient.
 * @param op its name in errors
 * @param inputs each with its pullback; null if the op is not differentiable in that input
 * @param options the op's options, for `callsOf`
 * @returns the tensor to return in place of `output`, with the same storage
 */
export function record(
  op: string,
  output: Tensor,
  inputs: readonly (readonly [Tensor, Pullback | null])[],
  options: Readonly<Record<string, unknown>> = {},
): Tensor {
  list(op, output, inputs, options);
  const wanted = inputs.flatMap(([tensor, pullback]) =>
    tensor.requiresGrad && pullback ? [{ tensor, pullback }] : [],
  );
  if (!active || wanted.length === 0) return output;
  const tracked = { ...output, requiresGrad: true };
  active.push({ op, output: tracked, inputs: wanted });
  return tracked;
}

/** Runs `f` with no tape running. */
export function untracked<T>(f: () => T): T {
  const outer = active;
  active = null;
  try {
    return f();
  } finally {
    active = outer;
  }
}

/** True if an op on these tensors will be differentiated, so that it must keep what its pullbacks need. */
export const isRecording = (...tensors: readonly (Tensor | null)[]): boolean =>
  active !== null && tensors.some((tensor) => tensor?.requiresGrad);

/** Arithmetic that the backward pass needs; the tape has none of its own. */
export interface GradientRules {
  /** The gradient of the loss with respect to itself: a tensor of ones. */
  readonly seed: (loss: Tensor) => Tensor;
  /** The sum of two gradients of one tensor. */
  readonly add: (a: Tensor, b: Tensor) => Tensor;
  /** A copy with its own storage. */
  readonly copy: (grad: Tensor) => Tensor;
}

/** Result of `valueAndGradients`, typed as the tuples that go in. */
export interface Gradients<
  Results extends readonly Tensor[] = readonly Tensor[],
  Inputs extends readonly Tensor[] = readonly Tensor[],
> {
  /** The tensors that `f` returned; the first is the loss. */
  readonly results: Results;
  /** The gradient of the loss for each tensor in `wrt`, in that order; null where the loss does not depend on it. */
  readonly grads: { readonly [I in keyof Inputs]: Tensor | null };
}

/**
 * Runs `f`, then walks its tape backwards from the first tensor it returned. Releases everything made on the way,
 * activations and gradients right after their last use, except the results and the requested gradients.
 * @throws OptionError, UsageError, ShapeError and ReleasedError as `valueAndGradients`
 */
export function gradientsOf<
  const Results extends readonly [loss: Tensor, ...rest: Tensor[]],
  const Inputs extends readonly Tensor[],
>(f: () => Results, wrt: Inputs, rules: GradientRules): Gradients<Results, Inputs> {
  const { device } = requireDifferentiable(wrt);
  using scope = device.scope();
  const outer = active;
  const tape: Entry[] = (active = []);
  let results: Results;
  try {
    results = f();
  } finally {
    active = outer;
  }
  requireLoss(results);
  for (const result of results) scope.keep(result);

  const uses = new UseCounts((allocation) => scope.release(allocation));
  for (const { output } of tape) uses.add(output.allocation);
  const grads = new Map<number, Tensor>();
  const accumulate = (tensor: Tensor, grad: Tensor): void => {
    const sum = grads.get(tensor.id);
    const total = sum ? rules.add(sum, grad) : grad;
    uses.add(total.allocation);
    if (sum) {
      uses.drop(sum.allocation);
      uses.releaseIfUnused(grad.allocation);
    }
    grads.set(tensor.id, total);
  };

  accumulate(results[0], rules.seed(results[0]));
  while (tape.length > 0) {
    const { op, output, inputs } = tape.pop()!;
    const gradOutput = grads.get(output.id);
    if (gradOutput) {
      for (const { tensor, pullback } of inputs) {
        const grad = pullback(gradOutput);
        if (!sameShape(grad.shape, tensor.shape) || grad.dtype !== tensor.dtype) {
          const [got, wanted] = [grad, tensor].map(({ dtype, shape }) => `${dtype} [${shape.join(",")}]`);
          throw new ShapeError(`${op}: a pullback returned ${got} for an input ${wanted}`);
        }
        accumulate(tensor, grad);
      }
      grads.delete(output.id);
      uses.drop(gradOutput.allocation);
    }
    uses.drop(output.allocation);
  }
  const taken = new Set<Allocation>();
  const wanted = wrt.map(({ id }) => {
    let grad = grads.get(id);
    if (!grad) return null;
    if (taken.has(grad.allocation)) grad = rules.copy(grad); // releasing one gradient must not release another
    taken.add(grad.allocation);
    return scope.keep(grad);
  });
  return { results, grads: wanted as unknown as Gradients<Results, Inputs>["grads"] };
}

/** Returns the first tensor to differentiate for. Throws unless all of them can be differentiated for. */
function requireDifferentiable(wrt: readonly Tensor[]): Tensor {
  if (active) {
    const remedy = "take the inner ones before, outside the f of the outer ones, where their values are constants";
    throw new UsageError(
      `gradients: expected no gradients within the f of others, second derivatives are not supported: ${remedy}`,
    );
  }
  const [first] = wrt;
  if (!first) throw new OptionError("gradients: expected at least one tensor to differentiate for, got none");
  wrt.forEach((tensor, i) => {
    requireLive("gradients", { [`wrt[${i}]`]: tensor });
    if (!tensor.requiresGrad)
      throw new OptionError(
        `gradients: expected tensors made by requireGrad, wrt[${i}] [${tensor.shape.join(",")}] is not`,
      );
    if (tensor.device !== first.device)
      throw new ShapeError(`gradients: expected tensors of one device, wrt[${i}] is on another than wrt[0]`);
  });
  return first;
}

/** Throws unless `f` returned a loss, followed by tensors only. */
function requireLoss(results: unknown): void {
  if (results instanceof Promise) {
    results.catch(() => undefined); // its outcome is irrelevant: the call throws anyway
    throw new UsageError(
      "gradients: expected f to return tensors, it is async: the tape holds only what f does before it awaits",
    );
  }
  const isTensor = (value: unknown): value is Tensor =>
    typeof value === "object" && value !== null && "allocation" in value;
  if (!Array.isArray(results) || results.length === 0 || !results.every(isTensor)) {
    throw new OptionError("gradients: expected f to return a list of tensors, the loss first, such as () => [loss]");
  }
  const [{ shape, dtype }] = results as [Tensor];
  if (dtype === "u32")
    throw new ShapeError(`gradients: expected a loss of dtype f32 or f16, it is u32 [${shape.join(",")}]`);
}

/** Counts how many tensors on the tape and among the gradients share each allocation: views share their source's. */
class UseCounts {
  readonly #counts = new Map<Allocation, number>();
  readonly #release: (allocation: Allocation) => void;

  constructor(release: (allocation: Allocation) => void) {
    this.#release = release;
  }

  add(allocation: Allocation): void {
    this.#counts.set(allocation, (this.#counts.get(allocation) ?? 0) + 1);
  }

  drop(allocation: Allocation): void {
    const count = this.#counts.get(allocation)! - 1;
    if (count === 0) this.#counts.delete(allocation);
    else this.#counts.set(allocation, count);
    this.releaseIfUnused(allocation);
  }

  releaseIfUnused(allocation: Allocation): void {
    if (!this.#counts.has(allocation)) this.#release(allocation);
  }
}
