import { farthestPointStep, type FarthestPoints } from "../kernels/farthest_point.ts";
import { floatDType } from "../kernels/launch.ts";
import { OptionError, ShapeError, shapeError } from "../runtime/errors.ts";
import { readOptions } from "../runtime/options.ts";
import type { Program } from "../runtime/program.ts";
import { empty, fromArray, release, toArray, type Tensor } from "../tensor/tensor.ts";

/** Start of a farthest-point search. */
export interface FarthestPointsOptions {
  /** Index of the first row chosen. Default 0. */
  readonly start?: number;
}

const STEPS_A_SUBMIT = 64; // so that the GPU starts early and no submission reaches the watchdog's time limit

/**
 * Greedy farthest-point sampling (k-centre, the coreset of PatchCore): starting from `start`, each step chooses the row
 * farthest from its nearest chosen row, the first of several. No row is chosen twice: if all remaining rows equal
 * chosen ones, they follow in order of index. A NaN distance counts as 0. One step is captured and repeated, with
 * nothing read back. Not differentiable.
 *
 * @param rows `[M, D]`, f32 or f16; distances are f32
 * @param count from 1 to M
 * @returns `[count]`, u32, in the order of choice
 * @throws ShapeError if the rows are u32 or not a matrix; OptionError for a count or a start out of range, or an
 *   unknown option
 * @see Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985
 */
export function farthestPoints(rows: Tensor, count: number, options: FarthestPointsOptions = {}): Tensor {
  using scope = rows.device.scope();
  const search = new FarthestPointSearch(rows, count, options);
  search.take(count);
  return scope.keep(search.finish());
}

/** The state of a search between two steps, sufficient to resume it. */
export interface FarthestPointState {
  /** Rows chosen so far, at least one, in the order of choice. */
  readonly chosen: readonly number[];
  /** `[M]`: squared distance to the nearest chosen row, -1 for chosen rows. Not read if only one row is chosen. */
  readonly distances: Float32Array;
}

/**
 * A search for farthest points (`farthestPoints`) that can stop between two steps and resume from its state with
 * identical results. `release` releases everything.
 */
export class FarthestPointSearch {
  readonly #state: FarthestPoints;
  readonly #count: number;
  #taken: number;
  #program: Program | null = null;

  /**
   * @param rows `[M, D]`, f32 or f16; owned by the caller
   * @param count from 1 to M
   * @param from start of the search, or the state of another search over the same rows
   * @throws as `farthestPoints`; ShapeError for a state of other rows or another count
   */
  constructor(rows: Tensor, count: number, from: FarthestPointsOptions | FarthestPointState = {}) {
    const { chosen, distances } =
      "chosen" in from ? requireState(from, rows, count) : { chosen: [startOf(rows, count, from)], distances: null };
    const {
      device,
      shape: [most],
    } = rows;
    const listed = new Uint32Array(count).fill(chosen[0]!);
    listed.set(chosen);
    this.#state = {
      rows,
      chosen: fromArray(device, [count], listed),
      position: fromArray(device, [1], Uint32Array.of(chosen.length)),
      distances: distances ? fromArray(device, [most!], distances) : empty(device, [most!]),
    };
    [this.#count, this.#taken] = [count, chosen.length];
  }

  /** `[count]`, u32: rows in the order of choice; places not yet filled repeat the first row. */
  get chosen(): Tensor {
    return this.#state.chosen;
  }

  /** Number of rows chosen so far. */
  get taken(): number {
    return this.#taken;
  }

  /** Chooses up to `points` further rows. Nothing is read back: one step is captured and repeated. */
  take(points: number): void {
    const { device } = this.#state.rows;
    const step = (): void => farthestPointStep(this.#state);
    const last = Math.min(this.#count, this.#taken + points);
    for (; this.#taken < last; this.#taken++) {
      if (device.isCapturing)
        step(); // the caller's program captures all steps
      else if (this.#program) this.#program.run();
      else ({ program: this.#program } = device.capture(step));
      if (!device.isCapturing && this.#taken % STEPS_A_SUBMIT === 0) device.submit();
    }
  }

  /** Reads the state for resuming. */
  async state(): Promise<FarthestPointState> {
    const [chosen, distances] = await Promise.all([toArray(this.#state.chosen), toArray(this.#state.distances)]);
    return {
      chosen: Array.from(chosen.slice(0, this.#taken)),
      distances: this.#taken > 1 ? distances : new Float32Array(distances.length),
    };
  }

  /** Ends the search: releases everything except `chosen`, and returns that. */
  finish(): Tensor {
    this.#program?.release();
    const { chosen, position, distances } = this.#state;
    release(position);
    release(distances);
    return chosen;
  }

  /** Ends the search and releases everything except the searched rows. */
  release(): void {
    release(this.finish());
  }
}

/**
 * Checks the arguments and returns the index of the first row. @throws ShapeError or OptionError if no row can be
 * chosen
 */
function startOf(rows: Tensor, count: number, options: FarthestPointsOptions): number {
  const { start } = readOptions<Required<FarthestPointsOptions>>("farthestPoints", options, { start: 0 });
  const most = requireRows(rows, count);
  if (!(Number.isInteger(start) && start >= 0 && start < most)) {
    throw new OptionError(`farthestPoints: expected start, a row from 0 to ${most - 1}, got ${start}`);
  }
  return start;
}

function requireState(state: FarthestPointState, rows: Tensor, count: number): FarthestPointState {
  const { chosen, distances } = state;
  const most = requireRows(rows, count);
  const isRow = (row: number): boolean => Number.isInteger(row) && row >= 0 && row < most;
  if (chosen.length === 0 || chosen.length > count || !chosen.every(isRow) || distances.length !== most) {
    const given = `${chosen.length} rows and ${distances.length} distances`;
    throw new ShapeError(`farthestPoints: expected the state of a search for ${count} of ${most} rows, got ${given}`);
  }
  return state;
}

/** Checks the rows and the count; returns the number of rows. */
function requireRows(rows: Tensor, count: number): number {
  floatDType("farthestPoints", { rows });
  if (rows.shape.length !== 2 || rows.shape[1] === 0) {
    shapeError("farthestPoints", "expected rows [M,D] of at least one element each", { rows });
  }
  const most = rows.shape[0]!;
  if (!(Number.isInteger(count) && count >= 1 && count <= most)) {
    throw new OptionError(`farthestPoints: expected count, a whole number from 1 to the ${most} rows, got ${count}`);
  }
  return most;
}
