import { FarthestPointSearch, type FarthestPointState } from "../../ops/farthest_points.ts";
import { gather } from "../../ops/gather.ts";
import { pointwiseConv2d } from "../../ops/matmul.ts";
import { ShapeError } from "../../runtime/errors.ts";
import { nearestRows } from "../../ops/nearest_rows.ts";
import { reshape, slice } from "../../ops/shape.ts";
import { RandomStream } from "../../tensor/random.ts";
import { bytesOf, empty, fromArray, release, toArray, type Tensor } from "../../tensor/tensor.ts";
import type { FeatureSource, FitState, FitStep, Json, StagePlan } from "../method.ts";
import { fieldsOf } from "./fields.ts";
import type { FitPart } from "./fit_part.ts";
import { readPosition, stepsLeft, type StagePosition } from "./stages.ts";

type Stage = "bank" | "coreset";

// Philox streams, one for each use of random numbers; far from those of a method's other parts.
const STREAM = { projection: 1, start: 2, cells: 3 };
const POINTS_A_STEP = 64; // rows that a step of the coreset chooses

/** The size of a coreset and the way in which it is chosen. */
export interface CoresetOptions {
  /** Name of the method, for errors. */
  readonly owner: string;
  /** Cells of an image among which rows are chosen: all of them, or so many at random. */
  readonly cellsOfImage: number;
  /** Dimensions of the random projection in which rows are compared; 0, or as many as there are channels: none. */
  readonly projection: number;
  /** Images that a step gathers. */
  readonly batch: number;
  /** Rows that the bank begins with and keeps: others are chosen that are far from them. Default 0. */
  readonly kept?: number;
  /** Added to the numbers of the random streams. Default 0. */
  readonly streams?: number;
  /** Titles of the two stages, for people. */
  readonly titles: Readonly<Record<Stage, string>>;
  /** Makes of features `[N, H, W, C]` those that are kept, of the same shape; new tensors are the scope's. Default: as they are. */
  readonly prepared?: (features: Tensor) => Tensor;
}

/** The stages of a coreset of so many rows, chosen among so many images, after those that are kept. */
export function planCoreset(
  rows: number,
  batch: number,
  images: number,
  kept = 0,
): readonly (StagePlan & { readonly stage: Stage })[] {
  return [
    { stage: "bank", steps: Math.ceil(images / batch) },
    { stage: "coreset", steps: Math.max(1, Math.ceil((rows - Math.max(1, kept)) / POINTS_A_STEP)) },
  ];
}

/** The cells among which rows are chosen: those that are kept, then the gathered ones. */
interface Cells {
  /** `[M, C]` */
  readonly rows: Tensor;
  /** `[C, D]` and `[M, D]`: a random projection, and the rows in it; null for none. */
  readonly projected: { readonly by: Tensor; readonly rows: Tensor } | null;
}

type CoresetState = {
  readonly position: StagePosition<Stage>;
  readonly chosen: FarthestPointState["chosen"];
};

/**
 * Fills a bank `[K, C]` with cells of good images that cover all of them: first the cells are gathered, then farthest
 * points among them are chosen, beginning with the rows that are kept. The bank is usable at any time: it stays as it is in the first stage, and holds the
 * rows chosen so far in the second, the first of them in place of those that are missing. A state keeps no cells: a fit
 * that is resumed gathers them again.
 * @see Roth et al., "Towards total recall in industrial anomaly detection", CVPR 2022
 */
export class Coreset implements FitPart {
  readonly #bank: Tensor;
  readonly #features: FeatureSource;
  readonly #seed: number;
  readonly #options: CoresetOptions;
  readonly #plan: ReturnType<typeof planCoreset>;
  #position: StagePosition<Stage> = { stage: "bank", step: 0 };
  #cells: Cells | null = null;
  #gathered = 0; // images
  #search: FarthestPointSearch | null = null;
  #restored: FarthestPointState | null = null; // where the search begins, after `restore`

  /** @param bank `[K, C]`, f32 */
  constructor(bank: Tensor, features: FeatureSource, seed: number, options: CoresetOptions) {
    [this.#bank, this.#features, this.#seed, this.#options] = [bank, features, seed, options];
    this.#plan = planCoreset(bank.shape[0]!, options.batch, features.count, options.kept);
  }

  get remaining(): readonly StagePlan[] {
    return stepsLeft(this.#plan, this.#position);
  }

  async *steps(): AsyncGenerator<FitStep, void> {
    while (this.#position) {
      const { stage, step } = this.#position;
      const { steps } = this.#plan.find((planned) => planned.stage === stage)!;
      if (stage === "bank") await this.#gather((step + 1) * this.#options.batch);
      else await this.#choose();
      const done = step + 1;
      if (done < steps) this.#position = { stage, step: done };
      else this.#position = stage === "bank" ? { stage: "coreset", step: 0 } : null;
      if (!this.#position) {
        this.release();
        this.#bank.device.trim(); // what comes next needs other sizes
      }
      yield { stage, title: this.#options.titles[stage], step: done, steps, epoch: 0, loss: null };
    }
  }

  async state(): Promise<FitState> {
    const search = this.#search ? await this.#search.state() : this.#restored;
    const json: CoresetState = { position: this.#position, chosen: search?.chosen ?? [] };
    return { json, tensors: new Map(search ? [["distances", search.distances]] : []) };
  }

  restore({ json, tensors }: FitState): void {
    const { position, chosen } = this.#stateOf(json);
    const isBegun = chosen.length > 0;
    const distances = tensors.get("distances");
    if (isBegun && distances?.length !== this.#cellCount)
      this.#refuse(`${this.#cellCount} distances`, distances?.length ?? "none");
    this.release();
    this.#position = position;
    this.#restored = isBegun ? { chosen, distances: distances! } : null;
  }

  release(): void {
    this.#search?.release();
    const { rows, projected } = this.#cells ?? {};
    for (const tensor of [rows, projected?.rows, projected?.by]) if (tensor) release(tensor);
    [this.#search, this.#cells, this.#gathered] = [null, null, 0];
  }

  #refuse(expected: string, got: unknown): never {
    throw new ShapeError(`${this.#options.owner}: expected ${expected} in the state of the fit, got ${String(got)}`);
  }

  get #cellCount(): number {
    return this.#kept + this.#features.count * this.#options.cellsOfImage;
  }

  get #kept(): number {
    return this.#options.kept ?? 0;
  }

  /** Brings the first so many images' cells together, those that are not there yet. */
  async #gather(images: number): Promise<Cells> {
    const { batch: most, cellsOfImage, prepared = (features: Tensor) => features } = this.#options;
    const { device } = this.#bank;
    const cells = (this.#cells ??= this.#newCells());
    const last = Math.min(images, this.#features.count);
    while (this.#gathered < last) {
      const count = Math.min(most, last - this.#gathered);
      const batch = await this.#features.batch(Array.from({ length: count }, (_, i) => this.#gathered + i));
      using _scope = device.scope();
      const chosen = this.#drawn(prepared(batch));
      const first = this.#kept + this.#gathered * cellsOfImage;
      copyRows(chosen, cells.rows, first);
      if (cells.projected) copyRows(pointwiseConv2d(chosen, cells.projected.by), cells.projected.rows, first);
      release(batch);
      this.#gathered += count;
    }
    return cells;
  }

  /** Some of each image's cells, where not all are wanted: `[N * cellsOfImage, C]`, or the features as they are. */
  #drawn(features: Tensor): Tensor {
    const { cellsOfImage, streams = 0 } = this.#options;
    const [images, height, width, channels] = features.shape as [number, number, number, number];
    const all = height * width;
    if (cellsOfImage === all) return features;
    const chosen = Array.from({ length: images }, (_, i) => {
      const random = new RandomStream(this.#seed, STREAM.cells + streams, this.#gathered + i);
      return random
        .permutation(all)
        .slice(0, cellsOfImage)
        .map((cell) => i * all + cell);
    });
    const indices = fromArray(features.device, [images * cellsOfImage], Uint32Array.from(chosen.flat()));
    return gather(reshape(features, [images * all, channels]), indices);
  }

  #newCells(): Cells {
    const { device, shape } = this.#bank;
    const channels = shape[1]!;
    const { projection, streams = 0 } = this.#options;
    const cells: Cells = {
      rows: empty(device, [this.#cellCount, channels]),
      projected: projection === 0 || projection >= channels ? null : this.#projection(channels, projection, streams),
    };
    if (this.#kept === 0) return cells;
    using _scope = device.scope();
    const kept = slice(this.#bank, 0, this.#kept, 0);
    copyRows(kept, cells.rows, 0);
    if (cells.projected) copyRows(pointwiseConv2d(kept, cells.projected.by), cells.projected.rows, 0);
    return cells;
  }

  #projection(channels: number, dimensions: number, streams: number): NonNullable<Cells["projected"]> {
    const { device } = this.#bank;
    const random = new RandomStream(this.#seed, STREAM.projection + streams);
    const normals = random.normals(channels * dimensions, 1 / Math.sqrt(dimensions));
    return {
      by: fromArray(device, [channels, dimensions], normals),
      rows: empty(device, [this.#cellCount, dimensions]),
    };
  }

  /** The beginning of a search among rows: one of them by the seed, or those that are kept. */
  async #begun(searched: Tensor): Promise<FarthestPointState | { readonly start: number }> {
    const kept = this.#kept;
    if (kept === 0) {
      const random = new RandomStream(this.#seed, STREAM.start + (this.#options.streams ?? 0));
      return { start: Math.floor(random.unit() * this.#cellCount) };
    }
    const squares = searched.device.tidy(() => {
      const others = slice(searched, kept, this.#cellCount - kept, 0);
      return nearestRows(others, slice(searched, 0, kept, 0), 1).squaredDistances;
    });
    const distances = new Float32Array(this.#cellCount).fill(-1); // of rows that are chosen
    distances.set(await toArray(squares).finally(() => release(squares)), kept);
    return { chosen: Array.from({ length: kept }, (_, row) => row), distances };
  }

  /** One step of the second stage: chooses further rows, and puts the rows chosen so far into the bank. */
  async #choose(): Promise<void> {
    const { device, shape } = this.#bank;
    const cells = await this.#gather(this.#features.count);
    const searched = cells.projected?.rows ?? cells.rows;
    this.#search ??= new FarthestPointSearch(searched, shape[0]!, this.#restored ?? (await this.#begun(searched)));
    this.#restored = null;
    this.#search.take(POINTS_A_STEP);
    {
      using _scope = device.scope();
      copyRows(gather(cells.rows, this.#search.chosen), this.#bank, 0);
    }
    await device.finish(); // the next step is not sent before this one is done, so that progress is true
  }

  /** @throws ShapeError if it is no state of such a fit */
  #stateOf(json: Json): CoresetState {
    const { position: stored, chosen } = fieldsOf(json);
    const refuse = (what: string): never =>
      this.#refuse(what, JSON.stringify({ position: stored, chosen }).slice(0, 80));
    if (stored === undefined || !Array.isArray(chosen)) return refuse("a position and the rows chosen");
    const position = readPosition(stored, this.#plan);
    if (position === undefined) return refuse("a position within the plan");
    const rows = this.#bank.shape[0]!;
    const count =
      position?.stage === "coreset" && position.step > 0
        ? Math.min(rows, Math.max(1, this.#kept) + POINTS_A_STEP * position.step)
        : 0;
    const isRow = (row: unknown): row is number =>
      typeof row === "number" && Number.isSafeInteger(row) && row >= 0 && row < this.#cellCount;
    if (chosen.length !== count || !chosen.every(isRow)) return refuse(`${count} of ${this.#cellCount} rows`);
    return { position, chosen };
  }
}

/** Copies a tensor to rows of another of as many channels, from a row on. */
function copyRows(from: Tensor, to: Tensor, row: number): void {
  const bytesOfRow = bytesOf(to) / to.shape[0]!;
  to.device.copy(from.allocation.buffer, 0, to.allocation.buffer, row * bytesOfRow, bytesOf(from));
}
