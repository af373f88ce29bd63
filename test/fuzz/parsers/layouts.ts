import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { link, mkdir, realpath, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import type { Dataset } from "../../../src/data/dataset.ts";
import { surveyDataset } from "../../../src/data/survey.ts";
import { isClutter, isImage } from "../../../src/data/tree.ts";
import { readDataset } from "../../../src/node/dataset.ts";
import { markOutput } from "../../../src/node/files/folder_listing.ts";
import { pictureReader } from "../../../src/node/picture_reader.ts";
import { BigridError } from "../../../src/runtime/errors.ts";

// Real folders made from a recipe with one line per entry: "f PATH" for a file, "d PATH" for a folder, "s PATH >
// TARGET" for a symbolic and "h PATH > TARGET" for a hard link, "p PATH" for a pipe, "o PATH" for a folder of bigrid's
// own pictures. Names are bytes.

const MOST_ENTRIES = 60;
const MOST_PIPES = 2; // each takes a process
const LONGEST_NAME = 200; // bytes

type Recipe = readonly { readonly kind: string; readonly path: Buffer; readonly target: Buffer }[];

const latin1 = (text: string): Buffer => Buffer.from(text, "latin1");

/** A path that stays in its folder: without NUL, "." and "..", and without overlong names. */
const inside = (path: string): Buffer =>
  latin1(
    path
      .split("/")
      .filter((name) => name !== "" && name !== "." && name !== "..")
      .map((name) => name.replaceAll("\0", "").slice(0, LONGEST_NAME))
      .join("/"),
  );

function recipeOf(input: Uint8Array): Recipe {
  const lines = Buffer.from(input).toString("latin1").split("\n").slice(0, MOST_ENTRIES);
  return lines.flatMap((line) => {
    const [, kind, path = "", target = ""] = /^([fdshpo]) ([^>]*)(?: > (.*))?$/.exec(line) ?? [];
    return kind === undefined ? [] : [{ kind, path: inside(path.trim()), target: inside(target) }];
  });
}

/**
 * Makes the entries that are possible: not a second entry of a path, or one below a file. @returns real paths of files,
 * if they are valid UTF-8
 */
async function build(root: string, recipe: Recipe): Promise<readonly string[]> {
  const at = (path: Buffer): Buffer => Buffer.concat([latin1(`${root}/`), path]);
  const files: string[] = [];
  const realRoot = await realpath(root);
  let pipes = 0;
  for (const { kind, path, target } of recipe) {
    if (path.length === 0) continue;
    try {
      await mkdir(kind === "d" || kind === "o" ? at(path) : latin1(dirname(at(path).toString("latin1"))), {
        recursive: true,
      });
      if (kind === "f") await writeFile(at(path), "", { flag: "wx" });
      if (kind === "s") await symlink(at(target), at(path));
      if (kind === "h") await link(at(target), at(path));
      if (kind === "o") await markOutput(at(path).toString());
      if (kind === "p" && pipes++ < MOST_PIPES) execFileSync("mkfifo", [at(path).toString()], { stdio: "ignore" });
      if ((kind === "f" || kind === "h") && Buffer.from(path.toString()).equals(path))
        files.push(relative(realRoot, await realpath(at(path))));
    } catch {
      // another entry is in the way
    }
  }
  return files;
}

const CYCLE = new Map([
  ["good", "ok"],
  ["ok", "normal"],
  ["normal", "good"],
]);

/** The same tree with other words for good. */
const renamed = (recipe: Recipe): Recipe => {
  const turned = (path: Buffer): Buffer =>
    latin1(
      path
        .toString("latin1")
        .split("/")
        .map((name) => CYCLE.get(name) ?? name)
        .join("/"),
    );
  return recipe.map(({ kind, path, target }) => ({ kind, path: turned(path), target: turned(target) }));
};

/** The dataset of a recipe and the files made; the dataset is null if it was rejected. */
async function datasetOf(
  recipe: Recipe,
): Promise<{ readonly dataset: Dataset | null; readonly error: unknown; readonly files: readonly string[] }> {
  const root = join(mkdtempSync(join(tmpdir(), "bigrid-layout-")), "set");
  await mkdir(root);
  try {
    const files = await build(root, recipe);
    try {
      const dataset = await readDataset(root, { needsGood: false });
      await surveyDataset(dataset, pictureReader(root));
      return { dataset, error: null, files };
    } catch (error) {
      if (!(error instanceof BigridError)) throw error;
      return { dataset: null, error, files };
    }
  } finally {
    rmSync(dirname(root), { recursive: true, force: true });
  }
}

/** Throws if an image is used twice, or neither used nor reported. */
function requireEachOnce(
  { classes, strayMasks, unused, aside, companions, repeated, outputs }: Dataset,
  files: readonly string[],
): void {
  const items = classes.flatMap(({ train, test }) => [...train, ...test]);
  const taken = new Set(items.map(({ path }) => path));
  if (taken.size !== items.length) throw new Error("an image is used twice");
  const named = new Set([
    ...taken,
    ...items.flatMap(({ masks }) => masks),
    ...strayMasks,
    ...unused,
    ...aside,
    ...companions,
    ...repeated.map(({ path }) => path),
  ]);
  for (const path of files) {
    if (
      !isImage(path) ||
      path.split("/").some(isClutter) ||
      named.has(path) ||
      outputs.some((folder) => path.startsWith(`${folder}/`))
    )
      continue;
    throw new Error(`${path} is neither used nor named`);
  }
}

const verdictsOf = ({ classes }: Dataset): string =>
  JSON.stringify(
    classes
      .map(({ train, test }) => [
        train.length,
        test.filter(({ defective }) => defective).length,
        test.filter(({ defective }) => !defective).length,
      ])
      .sort(),
  );

/** Reads a dataset from the folders of a recipe and surveys it, then again with other words for good. */
export async function readLayout(input: Uint8Array): Promise<void> {
  const recipe = recipeOf(input);
  const { dataset, error, files } = await datasetOf(recipe);
  if (dataset) requireEachOnce(dataset, files);
  const links = recipe.some(({ kind }) => kind === "s" || kind === "h"); // the first of two names may change
  if (!links) {
    const other = await datasetOf(renamed(recipe));
    if (
      dataset && other.dataset
        ? verdictsOf(dataset) !== verdictsOf(other.dataset)
        : (dataset === null) !== (other.dataset === null)
    ) {
      throw new Error(
        `other words for good give other verdicts: ${dataset ? verdictsOf(dataset) : String(error)}, ${other.dataset ? verdictsOf(other.dataset) : String(other.error)}`,
      );
    }
  }
  if (error instanceof Error) throw error;
}
