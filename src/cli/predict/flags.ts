import { InvalidArgumentError, type Command } from "commander";
import { parseFrames, type FramesFlag } from "./frame_forms.ts";
import { OptionError } from "../../runtime/errors.ts";
import { fractionOf, positiveNumber, wholeNumber } from "../flags/numbers.ts";
import { HALF_HELP, WEIGHTS_HELP } from "../flags/options.ts";
import { addRegionFlags, type RegionFlags } from "../flags/region.ts";
import { isList } from "./name_list.ts";
import type { OutputFlags, Shard } from "./outputs.ts";

/** Flags of `predict`. */
export interface PredictFlags extends OutputFlags, RegionFlags {
  readonly frames?: FramesFlag;
  readonly latest?: boolean;
  readonly watch?: string;
  readonly settle: number;
  readonly minArea?: number;
  readonly threshold?: number;
  readonly pixelThreshold?: number;
  readonly class?: string;
  readonly weights?: string;
  readonly half?: boolean;
  readonly batch: number;
  readonly autoBatch?: boolean;
  readonly shard?: Shard;
  readonly resume?: boolean;
  readonly strict?: boolean;
  readonly failOnDefect?: boolean;
  readonly json?: boolean;
}

export function addOutputFlags(command: Command): Command {
  return command
    .option("--csv <file>", "table with one line per image")
    .option("--jsonl <file>", "the same as JSON lines, with each defect's box, area and peak")
    .option("--coco <file>", "boxes, areas and shapes of defects, as COCO's JSON");
}

export function addPredictFlags(command: Command): Command {
  return addRegionFlags(
    addOutputFlags(command.option("--out <dir>", "folder for results.csv, results.jsonl and heat/")),
  )
    .option("--heat <dir>", "a heat map over each image, as PNG of its size")
    .option("--masks <dir>", "a mask of each image's defects, as PNG of its size: 255 in a defect, else 0")
    .option("--contours <dir>", "each image with its defects outlined, as PNG of its size")
    .option(
      "--submission <dir>",
      "maps and masks of MVTec AD 2's private test sets, for its benchmark; other images are left out",
    )
    .option(
      "--frames <form>",
      "inspect frames on standard input, as they come: mjpeg, or WIDTHxHEIGHT of raw rgb24; prints a JSON line for each",
      parseFrames,
    )
    .option("--latest", "with --frames: inspect the newest frame, and drop those that there is no time for")
    .option(
      "--watch <dir>",
      "inspect the images in this folder and new ones as they arrive, each once, until interrupted",
    )
    .option(
      "--settle <seconds>",
      "with --watch: a file is complete after this long without a change",
      positiveNumber(),
      1,
    )
    .option(
      "--min-area <pixels>",
      "ignore smaller defects; an image with none left is good whatever its score",
      wholeNumber(1),
    )
    .option(
      "--threshold <share>",
      "calibrated score above which an image is defective; moves the pixel threshold too (default: 0.5)",
      fractionOf,
    )
    .option(
      "--pixel-threshold <value>",
      "map value above which a pixel is defective (default: follows --threshold)",
      positiveNumber(),
    )
    .option("--class <name>", "trained class of the images: use its thresholds instead of the highest of all classes")
    .option("--weights <file>", WEIGHTS_HELP)
    .option("--half", HALF_HELP)
    .option("--batch <n>", "images per batch, or tiles of an image", wholeNumber(1), 8)
    .option("--auto-batch", "if a batch does not fit in GPU memory, continue with half of it")
    .option("--shard <i/n>", 'inspect the i-th of n parts of the images; "bigrid merge" combines them', shardOf)
    .option("--resume", "continue an interrupted prediction with the same outputs")
    .option("--strict", "stop at the first image that cannot be read, instead of skipping it")
    .option("--fail-on-defect", "exit with 3 if an image is called defective")
    .option(
      "--json",
      "one JSON object: {threshold, pixelThreshold, images: [{image, verdict, score, calibrated, peak, width, height, area, defects, heatMap}], skipped: [{image, reason}]}",
    );
}

/** @throws OptionError for flags and images that do not go together */
export function requireConsistent(words: readonly string[], flags: PredictFlags, keeps: boolean): void {
  const { watch, shard, json, resume, submission, masks } = flags;
  if (flags.frames !== undefined) return requireConsistentFrames(words, flags);
  if (flags.latest) throw new OptionError("--latest drops frames of a stream, which --frames names: leave it out");
  if (submission !== undefined && (watch !== undefined || masks !== undefined))
    throw new OptionError(
      `--submission and --${watch === undefined ? "masks" : "watch"} do not go together: a submission has masks of its own, of images that are there`,
    );
  if (watch === undefined && words.length === 0) {
    throw new OptionError('no images: name files, folders, "patterns", - for a list on standard input, or --watch DIR');
  }
  if (watch !== undefined && words.length > 0)
    throw new OptionError(`--watch ${watch} inspects what is in that folder: leave out ${words[0]}`);
  if (watch !== undefined && shard)
    throw new OptionError(
      "--watch and --shard do not go together: images that have yet to arrive cannot be divided into parts",
    );
  if (watch !== undefined && json) throw new OptionError("--watch has no end to print one object at: use --jsonl FILE");
  if (!keeps && (watch !== undefined || shard || resume))
    throw new OptionError(
      "name an output (--out DIR, --csv FILE, ...): the journal of finished images is kept beside it",
    );
}

/** Flags that need what a stream does not have: an end, an order that is known, or images that can be found again. */
const NOT_OF_FRAMES = ["watch", "shard", "resume", "coco", "submission", "json"] as const;

function requireConsistentFrames(words: readonly string[], flags: PredictFlags): void {
  if (words.length !== 1 || !isList(words[0]!))
    throw new OptionError(
      `--frames reads one stream: name -, for standard input, in the place of ${words.length === 0 ? "images" : words.join(" ")}`,
    );
  const idle = NOT_OF_FRAMES.find((name) => flags[name] !== undefined);
  if (idle !== undefined)
    throw new OptionError(
      `--frames and --${idle} do not go together: each frame has its line at once, and none comes again`,
    );
}

/** A shard, from text such as 2/4. */
export function shardOf(text: string): Shard {
  const found = /^(\d{1,9})\/(\d{1,9})$/.exec(text);
  const [index, count] = [Number(found?.[1]), Number(found?.[2])];
  if (!(index >= 1 && index <= count))
    throw new InvalidArgumentError("i/n is needed, with i from 1 to n, such as 2/4.");
  return { index, count };
}
