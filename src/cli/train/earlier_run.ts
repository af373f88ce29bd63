import { resolve } from "node:path";
import type { Dataset } from "../../data/dataset.ts";
import type { EarlierTraining, ImageRecord } from "../../detection/continuation.ts";
import type { TrainingImage } from "../../detection/views.ts";
import { loadDetector } from "../../node/detector_file.ts";
import { isFile } from "../../node/files/read.ts";
import { readRunImages, recordIn, type RunImages } from "../../node/run_images.ts";
import type { Device } from "../../runtime/device.ts";
import { InputError, OptionError } from "../../runtime/errors.ts";
import { readableImages, type GoodImageOptions } from "../dataset.ts";
import { rectangleOf, type RegionFlags } from "../flags/region.ts";
import { say } from "../terminal/say.ts";
import type { TrainRunOptions } from "./train_run.ts";

/** A region's flag as a run keeps it: a rectangle, or the absolute path of a mask. */
const keptRegion = (given: string | undefined): string | null =>
  given === undefined ? null : rectangleOf(given) ? given : resolve(given);

/** The regions of flags, and the dataset of anomalies, as a run keeps them. */
export const keptFlags = ({
  roi,
  ignore,
  anomalies,
}: RegionFlags & { readonly anomalies?: string | undefined }): Omit<RunImages, "folders"> => ({
  roi: keptRegion(roi),
  ignore: keptRegion(ignore),
  anomalies: anomalies === undefined ? null : resolve(anomalies),
});

/** A run that training goes on from. */
export class EarlierRun {
  readonly #run: string;
  readonly #images: RunImages;
  readonly #record: readonly ImageRecord[];

  private constructor(run: string, images: RunImages) {
    [this.#run, this.#images, this.#record] = [run, images, recordIn(images.folders)];
  }

  /**
   * Reads what a run says of its images.
   * @param moved the folder in which those of its first folder are now; undefined: where they were
   * @throws InputError if it says nothing
   */
  static async read(run: string, moved: string | undefined): Promise<EarlierRun> {
    const images = await readRunImages(run);
    const [first, ...others] = images.folders;
    const folders = moved === undefined || !first ? images.folders : [{ ...first, folder: resolve(moved) }, ...others];
    return new EarlierRun(run, { ...images, folders });
  }

  get folders(): readonly string[] {
    return this.#images.folders.map(({ folder }) => folder);
  }

  /** The number of images of its training. */
  get count(): number {
    return this.#record.filter(({ trained, heldOut }) => trained || heldOut !== null).length;
  }

  /**
   * The flags that the run was trained with, which need not be given again.
   * @throws OptionError for others
   */
  flags(given: RegionFlags & { readonly anomalies?: string | undefined }): {
    readonly [Name in "roi" | "ignore" | "anomalies"]: string | undefined;
  } {
    const now = keptFlags(given);
    for (const name of ["roi", "ignore", "anomalies"] as const) {
      const was = this.#images[name];
      if (given[name] !== undefined && now[name] !== was)
        throw new OptionError(
          `--${name} ${given[name]} contradicts ${this.#run}, which was trained with ${was ?? "none"}: leave it out, or train anew without --from`,
        );
    }
    const { roi, ignore, anomalies } = this.#images;
    return { roi: roi ?? undefined, ignore: ignore ?? undefined, anomalies: anomalies ?? undefined };
  }

  /**
   * A dataset without the images that the run was trained on.
   * @throws InputError if no good image is left
   */
  further(root: string, dataset: Dataset): Dataset {
    const known = new Set(this.#record.map(({ name }) => name));
    const classes = dataset.classes.map((one) => ({
      ...one,
      train: one.train.filter(({ path }) => !known.has(resolve(root, path))),
    }));
    const [all, left] = [dataset.classes, classes].map((some) =>
      some.reduce((sum, { train }) => sum + train.length, 0),
    ) as [number, number];
    if (left === 0) throw new InputError(`${root} has no good image that ${this.#run} was not trained on: add others`);
    if (left < all) say(`${all - left} good images of ${root} are left out: ${this.#run} was trained on them already`);
    return { ...dataset, classes };
  }

  /** The run as a training takes it. @param weights file of its backbone's weights; undefined: as it remembers */
  source(weights: string | undefined): NonNullable<TrainRunOptions["from"]> {
    return { folders: this.folders, open: (...reading) => this.#open(weights, ...reading) };
  }

  async #open(
    weights: string | undefined,
    device: Device,
    reading: GoodImageOptions,
    onWanted: (count: number) => void,
  ): Promise<EarlierTraining> {
    const run = this.#run;
    const detector = await loadDetector(device, run, { weights });
    async function* images(wanted: readonly ImageRecord[]): AsyncGenerator<TrainingImage> {
      const there: ImageRecord[] = [];
      for (const one of wanted) if (await isFile(one.name)) there.push(one);
      const gone = wanted.filter((one) => !there.includes(one));
      if (gone.length > 0) {
        const such = `such as ${gone[0]!.name}`;
        if (there.length === 0)
          throw new InputError(
            `none of the ${wanted.length} good images that ${run} was trained on is there any more, ${such}: give the folder that they are in now (bigrid train DIR --from ${run}), or train anew`,
          );
        say(
          `${gone.length} of ${wanted.length} good images of ${run} are gone, ${such}: training goes on without them`,
        );
      }
      onWanted(there.length);
      const { strict, region, input } = reading;
      const options = { strict, inParts: input.tiles !== undefined };
      for await (const { item, image } of readableImages(there, ({ name }) => name, options))
        yield { ...item, image, region: region?.of(image, item.name, input) ?? null };
    }
    return { detector, record: this.#record, images };
  }
}
