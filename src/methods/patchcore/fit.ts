import { FarthestPointSearch, type FarthestPointState } from "../../ops/farthest_points.ts";
import { gather } from "../../ops/gather.ts";
import { pointwiseConv2d } from "../../ops/matmul.ts";
import { ShapeError, TooLargeError } from "../../runtime/errors.ts";
import { RandomStream } from "../../tensor/random.ts";
import { bytesOf, empty, fromArray, release, type Tensor } from "../../tensor/tensor.ts";
import type { Fit, FitInput, FitState, FitStep, Json, StagePlan } from "../method.ts";
import { fieldsOf } from "../parts/fields.ts";
import { readPosition, stepsLeft, type StagePosition } from "../parts/stages.ts";
import type { PatchCoreConfig } from "./config.ts";
import { PatchCoreModel } from "./model.ts";
import type { PatchCoreSettings } from "./options.ts";

type Stage = "bank" | "coreset";
const TITLES: Readonly<Record<Stage, string>> = { bank: "Stage 1, memory bank", coreset: "Stage 2, coreset" };

const STREAM = { projection: 1, start: 2 }; // Philox streams, one for each use of random numbers
const POINTS_A_STEP = 64; // rows that a step of the coreset chooses

/** The stages of a fit to so many images. */
export function planOf(
  { rows }: PatchCoreConfig,
  { batch }: Pick<PatchCoreSettings, "batch">,
  images: number,
): (StagePlan & { readonly stage: Stage })[] {
  return [
    { stage: "bank", steps: Math.ceil(images / batch) },
    { stage: "coreset", steps: Math.max(1, Math.ceil((rows - 1) / POINTS_A_STEP)) },
  ];
}

/** The cells of all images. */
interface Cells {
  /** `[N * H * W, C]` */
  readonly rows: Tensor;
  /** `[C, D]` and `[N * H * W, D]`: a random projection, and the rows in it; null for none. */
  readonly projected: { readonly by: Tensor; readonly rows: Tensor } | null;
}

type PatchCoreState = {
  readonly position: StagePosition<Stage>;
  readonly chosen: FarthestPointState["chosen"];
};

/**
 * The memory bank of a model: first all cells are gathered, then farthest points among them are chosen. The model is
 * usable at any time: its bank is zero in the first stage, and holds the rows chosen so far in the second, the first of
 * them in place of those that are missing. A state keeps no cells: a fit that goes on gathers them again.
 */
export class PatchCoreFit implements Fit {
  readonly model: PatchCoreModel;
  readonly #config: PatchCoreConfig;
  readonly #settings: PatchCoreSettings;
  readonly #input: FitInput;
  readonly #plan: ReturnType<typeof planOf>;
  #position: StagePosition<Stage> = { stage: "bank", step: 0 };
  #cells: Cells | null = null;
  #gathered = 0; // images
  #search: FarthestPointSearch | null = null;
  #restored: FarthestPointState | null = null; // where the search begins, after `restore`

  /** @throws TooLargeError where the cells of all images are more than a dispatch can see */
  constructor(config: PatchCoreConfig, settings: PatchCoreSettings, input: FitInput) {
    const {
      weights,
      features: { count },
    } = input;
    requireSeen(config, count, weights.device.maxBindingBytes);
    this.model = new PatchCoreModel(weights, config);
    [this.#config, this.#settings, this.#input] = [config, settings, input];
    this.#plan = planOf(config, settings, count);
  }

  get remaining(): readonly StagePlan[] {
    return stepsLeft(this.#plan, this.#position);
  }

  async *steps(): AsyncGenerator<FitStep, void> {
    while (this.#position) {
      const { stage, step } = this.#position;
      const { steps } = this.#plan.find((planned) => planned.stage === stage)!;
      if (stage === "bank") await this.#gather((step + 1) * this.#settings.batch);
      else await this.#choose();
      const done = step + 1;
      if (done < steps) this.#position = { stage, step: done };
      else this.#position = stage === "bank" ? { stage: "coreset", step: 0 } : null;
      if (!this.#position) {
        this.release();
        this.#input.weights.device.trim(); // what comes next needs other sizes
      }
      yield { stage, title: TITLES[stage], step: done, steps, epoch: 0, loss: null };
    }
  }

  async state(): Promise<FitState> {
    const search = this.#search ? await this.#search.state() : this.#restored;
    const json: PatchCoreState = { position: this.#position, chosen: search?.chosen ?? [] };
    return { json, tensors: new Map(search ? [["distances", search.distances]] : []) };
  }

  restore({ json, tensors }: FitState): void {
    const { position, chosen } = this.#stateOf(json);
    const isBegun = chosen.length > 0;
    const distances = tensors.get("distances");
    if (isBegun && distances?.length !== this.#cellCount) {
      throw new ShapeError(
        `patchcore: expected ${this.#cellCount} distances in the state of the fit, got ${distances?.length ?? "none"}`,
      );
    }
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

  get #cellCount(): number {
    const { height, width } = this.#config;
    return this.#input.features.count * height * width;
  }

  /** Brings the first so many images' cells together, those that are not there yet. */
  async #gather(images: number): Promise<Cells> {
    const {
      features,
      weights: { device },
    } = this.#input;
    const { height, width } = this.#config;
    const cells = (this.#cells ??= this.#newCells());
    const last = Math.min(images, features.count);
    while (this.#gathered < last) {
      const count = Math.min(this.#settings.batch, last - this.#gathered);
      const batch = await features.batch(Array.from({ length: count }, (_, i) => this.#gathered + i));
      using _scope = device.scope();
      const first = this.#gathered * height * width;
      copyRows(batch, cells.rows, first);
      if (cells.projected) copyRows(pointwiseConv2d(batch, cells.projected.by), cells.projected.rows, first);
      release(batch);
      this.#gathered += count;
    }
    return cells;
  }

  #newCells(): Cells {
    const {
      seed,
      weights: { device },
    } = this.#input;
    const { channels } = this.#config;
    const { projection } = this.#settings;
    const rows = empty(device, [this.#cellCount, channels]);
    if (projection === 0 || projection >= channels) return { rows, projected: null };
    const normals = new RandomStream(seed, STREAM.projection).normals(channels * projection, 1 / Math.sqrt(projection));
    return {
      rows,
      projected: {
        by: fromArray(device, [channels, projection], normals),
        rows: empty(device, [this.#cellCount, projection]),
      },
    };
  }

  /** One step of the second stage: chooses further rows, and puts the rows chosen so far into the model's bank. */
  async #choose(): Promise<void> {
    const {
      features,
      seed,
      weights: { device },
    } = this.#input;
    const cells = await this.#gather(features.count);
    const searched = cells.projected?.rows ?? cells.rows;
    const start = Math.floor(new RandomStream(seed, STREAM.start).unit() * this.#cellCount);
    this.#search ??= new FarthestPointSearch(searched, this.#config.rows, this.#restored ?? { start });
    this.#restored = null;
    this.#search.take(POINTS_A_STEP);
    {
      using _scope = device.scope();
      copyRows(gather(cells.rows, this.#search.chosen), this.model.bank, 0);
    }
    await device.finish(); // the next step is not sent before this one is done, so that progress is true
  }

  /** @throws ShapeError if it is no state of such a fit */
  #stateOf(json: Json): PatchCoreState {
    const { position: stored, chosen } = fieldsOf(json);
    const refuse = (what: string): never => {
      throw new ShapeError(
        `patchcore: expected ${what} in the state of the fit, got ${JSON.stringify({ position: stored, chosen }).slice(0, 80)}`,
      );
    };
    if (stored === undefined || !Array.isArray(chosen)) return refuse("a position and the rows chosen");
    const position = readPosition(stored, this.#plan);
    if (position === undefined) return refuse("a position within the plan");
    const { rows } = this.#config;
    const count =
      position?.stage === "coreset" && position.step > 0 ? Math.min(rows, 1 + POINTS_A_STEP * position.step) : 0;
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

/** @throws TooLargeError where the cells of so many images are more than a dispatch can see */
function requireSeen({ height, width, channels }: PatchCoreConfig, images: number, most: number): void {
  const bytesOfImage = 4 * height * width * channels;
  if (images * bytesOfImage <= most) return;
  const limit = `the ${most} bytes that a dispatch can see on this device`;
  throw new TooLargeError(
    `patchcore: the cells of ${images} images take ${images * bytesOfImage} bytes, more than ${limit}; train on ${Math.floor(most / bytesOfImage)} images at most`,
  );
}
