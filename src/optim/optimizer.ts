import { joinRegions } from "../kernels/copy.ts";
import { requireDType, requireShape } from "../kernels/launch.ts";
import { clipFactor, type Range } from "../kernels/optimizer.ts";
import { sumProducts } from "../kernels/reduce.ts";
import type { Device } from "../runtime/device.ts";
import { dispose } from "../runtime/disposal.ts";
import { OptionError, ShapeError, UsageError } from "../runtime/errors.ts";
import { countOf, empty, fromArray, release, requireLive, toArray, zeros, type Tensor } from "../tensor/tensor.ts";

/** Parameters that share a learning rate. */
export interface ParameterGroup {
  readonly parameters: readonly Tensor[];
  /** Learning rate. */
  readonly learningRate: number;
}

/** Options of every optimiser. */
export interface GradientOptions {
  /** Limit of the gradients' global norm, over all groups; larger gradients are scaled down. Default: no limit. */
  readonly maxNorm?: number;
  /** Multiplies the gradients first: 1 / s where the loss was multiplied by s, to keep f16 gradients in range. Default 1. */
  readonly gradientScale?: number;
}

/** State of an optimiser, besides the parameters. */
export interface OptimizerState {
  /** Steps taken by each parameter. */
  readonly steps: readonly number[];
  /** The first moments of all parameters, then their second moments. */
  readonly moments: readonly Float32Array[];
}

/** Arguments of an update of a range of an arena. */
export interface Update {
  readonly weights: Tensor;
  readonly gradients: Tensor;
  /** `[1]`, scales the gradients for clipping. */
  readonly factor: Tensor;
  /** `[P, 4]`: learning rate and bias corrections of each parameter. */
  readonly schedule: Tensor;
  readonly moments: readonly Tensor[];
  readonly range: Range;
}

interface Slot {
  readonly parameter: Tensor;
  readonly learningRate: number;
  /** Offset in its arena, in elements. */
  readonly first: number;
  readonly count: number;
  /** Row of the schedule: the parameter's index. */
  readonly row: number;
  /** Number of steps that it missed. */
  missed: number;
}

/** Parameters in sequence in one tensor, with the moments that the rule keeps of each. */
interface Arena {
  readonly slots: Slot[];
  readonly moments: readonly Tensor[];
  readonly length: number;
}

const COLUMNS = 1024; // elements per row: an arena is whole rows, so that adjacent lanes sum adjacent elements

/**
 * Updates any number of parameters in place in few dispatches: gradients and parameters are copied into arenas, clipped
 * by their global norm on the GPU, updated range by range, and copied back. Only moments outlive a step. An arena is as
 * large as the device can bind.
 */
export abstract class Optimizer implements Disposable {
  /** In the order of the gradients of `step`. */
  readonly parameters: readonly Tensor[];
  readonly #arenas: readonly Arena[];
  readonly #maxNorm: number;
  readonly #gradientScale: number;
  readonly #schedule: Tensor;
  #steps = 0;

  /**
   * @throws OptionError if there are no parameters, for a learning rate below 0, or a norm or a scale not above 0; ShapeError if a parameter
   *   is not f32
   */
  protected constructor(
    name: string,
    groups: readonly ParameterGroup[],
    moments: number,
    { maxNorm, gradientScale }: Required<GradientOptions>,
  ) {
    const entries = groups.flatMap(({ parameters, learningRate }) =>
      parameters.map((parameter) => ({ parameter, learningRate })),
    );
    const [first] = entries;
    if (!first) throw new OptionError(`${name}: expected at least one parameter`);
    requireDType(name, "f32", Object.fromEntries(entries.map(({ parameter }, i) => [`parameter ${i}`, parameter])));
    for (const { learningRate } of groups) {
      if (!(learningRate >= 0 && learningRate < Infinity))
        throw new OptionError(`${name}: expected a learning rate of at least 0, got ${learningRate}`);
    }
    if (!(maxNorm > 0)) throw new OptionError(`${name}: expected maxNorm > 0, got ${maxNorm}`);
    if (!(gradientScale > 0 && gradientScale < Infinity))
      throw new OptionError(`${name}: expected gradientScale > 0, got ${gradientScale}`);
    this.parameters = entries.map(({ parameter }) => parameter);
    this.#maxNorm = maxNorm;
    this.#gradientScale = gradientScale;
    this.#arenas = arenasOf(first.parameter.device, entries, moments);
    this.#schedule = zeros(first.parameter.device, [entries.length, 4]);
  }

  /** Updates one range of parameters that take equal steps. */
  protected abstract update(update: Update): void;

  /** Divisors of the moments at a parameter's step, which is 1 at first. */
  protected abstract corrections(step: number): readonly [first: number, second: number];

  /**
   * Takes one step.
   * @param grads one for each of `parameters`, in that order; null leaves that parameter and its moments unchanged
   * @param learningRateScale multiplies every group's learning rate
   * @throws OptionError for another number of gradients; ShapeError for a gradient of another shape or dtype
   */
  step(grads: readonly (Tensor | null)[], learningRateScale = 1): void {
    this.advance(learningRateScale);
    this.apply(grads);
  }

  /**
   * First half of a step: uploads what changes from step to step. If `apply` was captured, call this before each run of
   * the program.
   * @param learningRateScale multiplies every group's learning rate
   * @throws UsageError while capturing: every run would repeat the same step
   */
  advance(learningRateScale = 1): void {
    const { device, allocation } = this.#schedule;
    if (device.isCapturing) {
      throw new UsageError(
        "advance: a capture would keep this step for ever; capture apply, and advance before each run",
      );
    }
    this.#steps++;
    const rows = new Float32Array(4 * this.parameters.length);
    for (const { row, learningRate, missed } of this.#slots())
      rows.set([learningRate * learningRateScale, ...this.corrections(this.#steps - missed)], 4 * row);
    device.write(allocation.buffer, rows);
  }

  /**
   * Second half of a step, with the same commands every time.
   * @param grads as for `step`
   * @returns a function to call after each run of a program that captured this; it counts the missed step of parameters
   *   without a gradient
   * @throws as `step`
   */
  apply(grads: readonly (Tensor | null)[]): () => void {
    if (grads.length !== this.parameters.length) {
      throw new OptionError(
        `step: expected a gradient or null for each of ${this.parameters.length} parameters, got ${grads.length}`,
      );
    }
    const [{ device }] = this.parameters as [Tensor];
    const gradOf = new Map(this.parameters.map((parameter, i) => [parameter, grads[i] ?? null]));
    for (const [parameter, gradient] of gradOf) {
      if (!gradient) continue;
      requireDType("step", "f32", { parameter, gradient });
      requireShape("step", "gradient", parameter.shape, { parameter, gradient });
    }
    const idle = this.#slots().filter(({ parameter }) => !gradOf.get(parameter));
    const sitOut = (): void => idle.forEach((slot) => (slot.missed += device.isDryRun ? 0 : 1));
    if (idle.length === this.parameters.length) {
      sitOut();
      return sitOut;
    }
    using _scope = device.scope();
    const loaded = this.#arenas.map(({ slots, length }) => {
      const weights = empty(device, [length]);
      const gradients = zeros(device, [length]);
      for (const { parameter, first } of slots) {
        const gradient = gradOf.get(parameter);
        if (!gradient) continue;
        copyElements(parameter, 0, weights, first, countOf(parameter.shape));
        copyElements(gradient, 0, gradients, first, countOf(parameter.shape));
      }
      return { weights, gradients };
    });
    const factor = this.#factor(loaded.map(({ gradients }) => gradients));
    this.#arenas.forEach(({ slots, moments }, i) => {
      const moving = slots.filter(({ parameter }) => gradOf.get(parameter));
      for (const range of rangesOf(moving))
        this.update({ ...loaded[i]!, factor, schedule: this.#schedule, moments, range });
      for (const { parameter, first, count } of moving) copyElements(loaded[i]!.weights, first, parameter, 0, count);
    });
    sitOut();
    return sitOut;
  }

  /** Reads the state, for a later `restore`. */
  async state(): Promise<OptimizerState> {
    const slots = this.#placedSlots();
    const kinds = this.#arenas[0]!.moments.length;
    const moments: Float32Array[] = [];
    for (let kind = 0; kind < kinds; kind++) {
      const arenas = new Map<Arena, Float32Array>();
      for (const arena of this.#arenas) arenas.set(arena, await toArray(arena.moments[kind]!));
      for (const { arena, slot } of slots) moments.push(arenas.get(arena)!.slice(slot.first, slot.first + slot.count));
    }
    return { steps: slots.map(({ slot }) => this.#steps - slot.missed), moments };
  }

  /**
   * Restores the state of an optimiser of the same parameters.
   * @throws ShapeError for a state of other parameters
   */
  restore({ steps, moments }: OptimizerState): void {
    const slots = this.#placedSlots();
    const kinds = this.#arenas[0]!.moments.length;
    const fits =
      steps.length === slots.length &&
      moments.length === kinds * slots.length &&
      moments.every((values, i) => values.length === slots[i % slots.length]!.slot.count);
    if (!fits)
      throw new ShapeError(
        `restore: expected the state of ${slots.length} parameters, ${kinds} moments of each, of their sizes`,
      );
    this.#steps = Math.max(0, ...steps);
    slots.forEach(({ arena, slot }, i) => {
      slot.missed = this.#steps - steps[i]!;
      arena.moments.forEach(({ device, allocation }, kind) =>
        device.write(allocation.buffer, moments[kind * slots.length + i]!, 4 * slot.first),
      );
    });
  }

  /** Releases the moments' storage. */
  release(): void {
    for (const { moments } of this.#arenas) moments.forEach(release);
    release(this.#schedule);
  }

  /** The same as `release`, for `using`. */
  [dispose](): void {
    this.release();
  }

  #slots(): readonly Slot[] {
    return this.#arenas.flatMap(({ slots }) => slots);
  }

  #placedSlots(): readonly { readonly arena: Arena; readonly slot: Slot }[] {
    return this.#arenas.flatMap((arena) => arena.slots.map((slot) => ({ arena, slot })));
  }

  /** `[1]`: the factor that scales gradients and limits their norm to the largest allowed. */
  #factor(gradients: readonly Tensor[]): Tensor {
    const [{ device }] = gradients as [Tensor];
    if (this.#maxNorm === Infinity) return fromArray(device, [1], Float32Array.of(this.#gradientScale));
    const squares = gradients.map((arena) => {
      const rows = countOf(arena.shape) / COLUMNS;
      const columns = sumProducts(arena, arena, { groups: 1, extent: rows, channels: COLUMNS }, [COLUMNS]);
      const ones = fromArray(device, [COLUMNS], new Float32Array(COLUMNS).fill(1));
      return sumProducts(columns, ones, { groups: 1, extent: COLUMNS, channels: 1 }, [1]);
    });
    return clipFactor(joinRegions("clipFactor", squares, 0), this.#maxNorm, this.#gradientScale);
  }
}

function arenasOf(
  device: Device,
  entries: readonly { readonly parameter: Tensor; readonly learningRate: number }[],
  moments: number,
): Arena[] {
  const most = Math.floor(device.maxBindingBytes / 4 / COLUMNS) * COLUMNS;
  const parts: Slot[][] = [];
  let end = Infinity;
  for (const [row, { parameter, learningRate }] of entries.entries()) {
    const count = countOf(parameter.shape);
    if (end + count > most) {
      parts.push([]);
      end = 0;
    }
    parts.at(-1)!.push({ parameter, learningRate, first: end, count, row, missed: 0 });
    end += count;
  }
  return parts.map((slots) => {
    const last = slots.at(-1)!;
    const length = Math.max(1, Math.ceil((last.first + last.count) / COLUMNS)) * COLUMNS;
    return { slots, length, moments: Array.from({ length: moments }, () => zeros(device, [length])) };
  });
}

/** Merges adjacent parameters that take equal steps into ranges. */
function rangesOf(slots: readonly Slot[]): Range[] {
  const ranges: { first: number; count: number; row: number; learningRate: number; missed: number }[] = [];
  for (const { first, count, row, learningRate, missed } of slots) {
    const last = ranges.at(-1);
    if (last && last.first + last.count === first && last.learningRate === learningRate && last.missed === missed)
      last.count += count;
    else ranges.push({ first, count, row, learningRate, missed });
  }
  return ranges.map(({ first, count, row }) => ({ first, count, row }));
}

function copyElements(source: Tensor, sourceFirst: number, destination: Tensor, first: number, count: number): void {
  requireLive("optimizer", { source, destination });
  if (count > 0)
    source.device.copy(source.allocation.buffer, 4 * sourceFirst, destination.allocation.buffer, 4 * first, 4 * count);
}
