import { mkdtempSync, rmSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve, sep } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { Command } from "commander";
import { recogniseDataset } from "../../../src/data/dataset.ts";
import { parseCsv } from "../../../src/data/layouts/csv.ts";
import { bmpHeader, decodeBmp } from "../../../src/io/bmp.ts";
import type { SplitFrame } from "../../../src/io/frames.ts";
import { JpegSplitter } from "../../../src/io/mjpeg.ts";
import { decodeSafetensors, encodeSafetensors } from "../../../src/io/safetensors.ts";
import { openWeightsFrom } from "../../../src/backbones/weights.ts";
import { configFrom, readDetectorConfig } from "../../../src/detection/model_file.ts";
import { gradConfig } from "../../../src/methods/grad/config.ts";
import { GRAD_OPTIONS } from "../../../src/methods/grad/options.ts";
import { parseSavedState } from "../../../src/detection/training_state.ts";
import { decodeImageBytes, decodeMaskBytes } from "../../../src/node/images.ts";
import { commonFolder, liesIn } from "../../../src/cli/predict/image_list.ts";
import { namesIn, namesInList } from "../../../src/cli/predict/name_list.ts";
import { LineFile } from "../../../src/node/files/line_file.ts";
import { encodeRunImages, readRunImages, recordIn, sortByFolder } from "../../../src/node/run_images.ts";
import { TrainingFiles } from "../../../src/node/training_files.ts";
import { InputError } from "../../../src/runtime/errors.ts";
import {
  addOptionFlags,
  collectSettings,
  valuesOfFlags,
  valuesOfSettings,
} from "../../../src/cli/flags/option_flags.ts";
import { positiveNumber, wholeNumber } from "../../../src/cli/flags/numbers.ts";
import { addPredictFlags, requireConsistent, shardOf, type PredictFlags } from "../../../src/cli/predict/flags.ts";
import { outputsOf, PictureNames, type Outputs } from "../../../src/cli/predict/outputs.ts";
import { mergedResults, openShards, PredictionRecord } from "../../../src/cli/predict/record.ts";
import { rectangleOf } from "../../../src/cli/flags/region.ts";
import { cocoOf, csvLine, jsonOf } from "../../../src/cli/predict/results.ts";
import { printable } from "../../../src/io/printable.ts";
import { lossCurvesOf } from "../../../src/cli/train/train_run.ts";
import { readLayout } from "./layouts.ts";
import { downloadFrom } from "./hub.ts";

/** A parser of untrusted input. */
export interface Parser {
  /** Name of its folder in the corpus. */
  readonly name: string;
  /**
   * Parses an input and uses the result. Throws one of the project's errors for invalid input; any other Error is a
   * bug.
   */
  readonly parse: (input: Uint8Array) => unknown;
  /** True if its inputs take much longer than those of others. */
  readonly slow?: boolean;
}

/** Longest path, in characters: an error may repeat some. */
export const LONGEST_PATH = 4096;

const MOST_PIXELS = 1 << 18; // of pictures: larger ones only take time

const folder = mkdtempSync(join(tmpdir(), "bigrid-fuzz-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const at = (...names: string[]) => join(folder, ...names);

const textOf = (input: Uint8Array): string => new TextDecoder().decode(input);
const holds = (isRight: boolean, what: string): void => {
  if (!isRight) throw new Error(what);
};

const FILES = [
  "a/1.png",
  "a/2.png",
  "a/m.png",
  "candle/Data/Images/Normal/0000.JPG",
  "candle/Data/Images/Anomaly/000.JPG",
  "candle/Data/Masks/Anomaly/000.png",
];

/** Reads a dataset whose list is the input; other lists are valid. */
async function listed(files: readonly string[], texts: Readonly<Record<string, string>>): Promise<void> {
  const readText = (path: string) => Promise.resolve(texts[path] ?? "");
  const { classes } = await recogniseDataset({ name: "set", files: [...FILES, ...files], unreadable: [], readText });
  for (const { path } of classes.flatMap(({ train, test }) => [...train, ...test]))
    holds(FILES.includes(path), `${path} is no file of the set`);
}

/** Formats the contents of a journal in every output format. */
async function told(results: Parameters<typeof cocoOf>[0]): Promise<void> {
  for await (const result of results()) csvLine(result);
  for (const parts of [cocoOf(results), jsonOf(1, 1, results)]) {
    let text = "";
    for await (const part of parts) text += part;
    JSON.parse(text);
  }
}

const SETTINGS = {
  model: "m",
  half: false,
  class: null,
  threshold: 1,
  pixelThreshold: 1,
  minArea: null,
  roi: null,
  ignore: null,
  pictures: [],
  list: { images: 2, sha256: "s" },
  watch: null,
};
const OUTPUTS: Outputs = {
  csv: at("t.csv"),
  jsonl: at("t.jsonl"),
  coco: at("t.json"),
  pictures: new Map(),
  journal: at("t.journal"),
};

function flagsOf<T extends object>(
  words: readonly string[],
  add: (command: Command) => Command,
): { readonly flags: T; readonly names: readonly string[] } {
  const command = add(
    new Command("x")
      .exitOverride()
      .argument("[names...]")
      .configureOutput({ writeErr: () => undefined, writeOut: () => undefined }),
  ).action(() => undefined);
  command.parse([...words], { from: "user" });
  return { flags: command.opts<T>(), names: command.args };
}

export const parsers: readonly Parser[] = [
  {
    name: "safetensors",
    async parse(input) {
      const file = decodeSafetensors(input, "x");
      const written = encodeSafetensors(file);
      holds(
        Buffer.from(encodeSafetensors(decodeSafetensors(written, "x"))).equals(written),
        "what was read is written, and read as something else",
      );
      const read = (first: number, bytes: number) => Promise.resolve(input.subarray(first, first + bytes));
      const weights = await openWeightsFrom({ name: "x", bytes: input.length, sha256: "", read });
      for (const name of weights.shapes.keys()) await weights.read(name);
    },
  },
  {
    name: "model",
    async parse(input) {
      const { metadata } = decodeSafetensors(input, "x");
      await readDetectorConfig(metadata, "x");
    },
  },
  { name: "model_config", parse: (input) => configFrom(textOf(input), "x") },
  { name: "training_state", parse: (input) => parseSavedState(textOf(input), "x") },
  {
    name: "bmp",
    parse(input) {
      const { data, width, height } = decodeBmp(input, MOST_PIXELS);
      holds(
        data.length === 4 * width * height && width * height <= MOST_PIXELS,
        "a picture of another size than it says",
      );
      bmpHeader(input.subarray(0, 138), input.length, MOST_PIXELS);
    },
  },
  {
    name: "image",
    async parse(input) {
      const image = await decodeImageBytes(input, "x", { maxPixels: MOST_PIXELS });
      const mask = await decodeMaskBytes(input, "x", MOST_PIXELS);
      for (const { data, width, height } of [image, mask])
        holds(
          data.length === 4 * width * height && width * height <= MOST_PIXELS,
          "a picture of another size than it says",
        );
    },
  },
  {
    name: "csv",
    parse(input) {
      const { columns, records } = parseCsv(textOf(input));
      for (const record of records)
        holds(Object.keys(record).length === new Set(columns).size, "a record without a column");
    },
  },
  { name: "visa", parse: (input) => listed(["split_csv/1cls.csv"], { "split_csv/1cls.csv": textOf(input) }) },
  {
    name: "uniad",
    parse: (input) => listed(["train.json", "test.json"], { "train.json": textOf(input), "test.json": textOf(input) }),
  },
  {
    name: "folders",
    parse(input) {
      const files = namesIn(textOf(input)).filter((name) => name.length <= LONGEST_PATH);
      return recogniseDataset({ name: "set", files, unreadable: [], readText: () => Promise.resolve("") });
    },
  },
  { name: "layouts", parse: readLayout, slow: true },
  {
    name: "journal",
    slow: true, // its lock is taken by a separate process
    async parse(input) {
      await writeFile(OUTPUTS.journal!, input);
      const record = await PredictionRecord.open(OUTPUTS, SETTINGS, null, true);
      try {
        await told(() => record.results());
        const result = { image: "last", verdict: "unreadable", reason: "a test" } as const;
        const before = record.done;
        await record.append([{ result, identity: "1 2 last" }]);
        await record.writeWhole();
        let last: object | null = null;
        let count = 0;
        for await (const one of record.results()) [last, count] = [one, count + 1];
        holds(
          count === before + 1 && JSON.stringify(last) === JSON.stringify(result),
          "what was added is not the last entry",
        );
      } finally {
        await record.close();
      }
    },
  },
  {
    name: "shard",
    async parse(input) {
      await writeFile(at("s.journal"), input);
      const shards = await openShards([at("s.journal")]);
      await told(() => mergedResults(shards));
    },
  },
  {
    name: "lines",
    async parse(input) {
      await writeFile(at("l"), input);
      const file = await LineFile.open(at("l"));
      await file.append("added\n");
      await file.close();
      const whole = Buffer.from(input.subarray(0, input.lastIndexOf(0x0a) + 1));
      holds(
        (await readFile(at("l"))).equals(Buffer.concat([whole, Buffer.from("added\n")])),
        "other lines than the whole ones",
      );
    },
  },
  {
    name: "train_log",
    async parse(input) {
      await mkdir(at("run", "training_states"), { recursive: true });
      for (const folder of ["", "training_states"]) await writeFile(at("run", folder, "train.jsonl"), input);
      const files = new TrainingFiles(at("run"));
      for (const { steps, values } of lossCurvesOf(await files.logged()))
        holds(steps.length === values.length && values.every(Number.isFinite), "a curve with holes");
      await files.beginLog(20);
      const [, log] = await files.finishedLog();
      holds(
        log
          .split("\n")
          .slice(0, -1)
          .every((line) => (JSON.parse(line) as { taken: number }).taken <= 20),
        "steps that were not taken",
      );
      await files.endLog();
      await rm(at("run"), { recursive: true });
    },
  },
  {
    name: "run_images",
    async parse(input) {
      await mkdir(at("run"), { recursive: true });
      await writeFile(at("run", "images.json"), input);
      const { folders, ...flags } = await readRunImages(at("run"));
      const record = recordIn(folders);
      const [, text] = encodeRunImages({
        ...flags,
        folders: sortByFolder(
          record,
          folders.map(({ folder }) => folder),
        ),
      });
      await writeFile(at("run", "images.json"), text);
      await readRunImages(at("run")); // what is written of it can be read
      holds(
        record.every(({ heldOut }) => heldOut === null || (heldOut.score >= 0 && heldOut.peak >= 0)),
        "a score below 0",
      );
    },
  },
  {
    name: "image_list",
    parse(input) {
      namesInList(input);
      const images = namesIn(textOf(input));
      const root = images.length > 0 ? commonFolder(images) : "/";
      const names = new PictureNames(root);
      const given = images.map((image) => names.next(image));
      holds(new Set(given).size === given.length, "two pictures of one name");
      for (const name of given)
        holds(
          name.split(sep).includes("..") === false && liesIn(resolve("/out", name), ["/out"]),
          `${JSON.stringify(name)} lies outside its folder`,
        );
      for (const image of images)
        holds(!printable(image).match(/[\p{Cc}\u2028\u2029]/u), "a name that moves the cursor");
    },
  },
  {
    name: "frames",
    parse(input) {
      const cut = (chunk: number): readonly [frames: SplitFrame[], skipped: number] => {
        const splitter = new JpegSplitter();
        const frames: SplitFrame[] = [];
        for (let at = 0; at < input.length; at += chunk) frames.push(...splitter.push(input.subarray(at, at + chunk)));
        return [[...frames, ...splitter.end()], splitter.skipped];
      };
      const [frames, skipped] = cut(Math.max(1, input.length));
      holds(isDeepStrictEqual(cut(1 + ((input[0] ?? 0) % 7)), [frames, skipped]), "other frames of other parts");
      const bytes = frames.map((frame) => ("bytes" in frame ? frame.bytes : new Uint8Array()));
      holds(bytes.reduce((sum, { length }) => sum + length, skipped) === input.length, "lost bytes");
      for (const frame of bytes) holds(frame.length >= 2 && frame[0] === 0xff && frame[1] === 0xd8, "no JPEG");
      if (frames.length === 0) throw new InputError("there are no frames");
    },
  },
  { name: "hub", parse: (input) => downloadFrom(input, folder) },
  {
    name: "numbers",
    parse(input) {
      const text = textOf(input);
      const number = wholeNumber(1);
      const values = [
        refusedOr(() => number(text)),
        refusedOr(() => positiveNumber(0.5)(text)),
        refusedOr(() => shardOf(text)),
        rectangleOf(text),
      ];
      const [whole, share, shard] = values as [number | null, number | null, { index: number; count: number } | null];
      holds(
        whole === null || (Number.isSafeInteger(whole) && whole >= 1),
        `${text} was taken as the whole number ${whole}`,
      );
      holds(share === null || (share > 0 && share <= 0.5), `${text} was taken as the share ${share}`);
      holds(shard === null || (shard.index >= 1 && shard.index <= shard.count), `${text} was taken as a shard`);
      if (values.every((value) => value === null))
        throw new InputError(`${text.slice(0, 20)} is no number of any kind`);
    },
  },
  {
    name: "train_flags",
    parse(input) {
      const withFlags = (command: Command): Command =>
        addOptionFlags(command, "grad", GRAD_OPTIONS, () => null).option("--set <name=value>", "", collectSettings);
      const { flags } = flagsOf<Readonly<Record<string, unknown>>>(namesIn(textOf(input)), withFlags);
      const told = {
        ...valuesOfSettings((flags["set"] ?? []) as readonly string[], [["grad", GRAD_OPTIONS]]),
        ...valuesOfFlags(GRAD_OPTIONS, flags),
      };
      gradConfig({ height: 28, width: 28, channels: 4, variance: 1 }, told);
    },
  },
  {
    name: "predict_flags",
    parse(input) {
      const { flags, names } = flagsOf<PredictFlags>(namesIn(textOf(input)), addPredictFlags);
      requireConsistent(names, flags, outputsOf(flags, flags.shard ?? null).journal !== null);
    },
  },
];

/** A value, or null if it was rejected with an error of the command line. */
function refusedOr<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if ((error as { code?: unknown }).code === "commander.invalidArgument") return null;
    throw error;
  }
}

/** The parsers of that name; all without one. */
export function parsersNamed(name: string | null): readonly Parser[] {
  const found = parsers.filter((parser) => name === null || parser.name === name);
  if (found.length === 0)
    throw new InputError(`no parser ${name}; there are ${parsers.map((parser) => parser.name).join(", ")}`);
  return found;
}
