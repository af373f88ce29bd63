import { mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Dataset } from "../../src/data/dataset.ts";
import { readDataset } from "../../src/node/dataset.ts";
import { FORMATS } from "../../src/data/layouts/layout.ts";
import { InputError } from "../../src/runtime/errors.ts";
import { LAYOUT_CASES, writeLayout } from "../layouts.ts";
import { temporaryFolder } from "../temporary.ts";

const folder = await temporaryFolder();

/** Makes a folder of empty files: only their names matter here. */
async function folderOf(name: string, files: readonly string[]): Promise<string> {
  const root = join(folder, name);
  await mkdir(root, { recursive: true });
  for (const file of files) {
    await mkdir(dirname(join(root, file)), { recursive: true });
    await writeFile(join(root, file), "");
  }
  return root;
}

const trainPaths = ({ classes }: Dataset) => classes.map(({ name, train }) => [name, train.map(({ path }) => path)]);

describe.each(LAYOUT_CASES.map((entry, i) => [entry.what, entry, join(folder, `layout${i}`, "set")] as const))(
  "%s",
  (_what, expected, root) => {
    const check = ({ classes, layout, strayMasks, unused, aside, unreadable, alternative }: Dataset) => {
      expect(classes.map(({ name, train, test: items }) => ({ name, train, test: items }))).toEqual(
        expected.classes.map(({ name, train, test: items }) => ({
          name,
          train: train.map((path) => ({ path, defective: false, defect: "good", masks: [] })),
          test: items.map(([path, defect, masks = []]) => ({ path, defective: defect !== "good", defect, masks })),
        })),
      );
      expect(layout.format).toBe(expected.format);
      expect({ strayMasks, unused, aside, unreadable, alternative }).toEqual({
        strayMasks: expected.strayMasks ?? [],
        unused: expected.unused ?? [],
        aside: expected.aside ?? [],
        unreadable: [],
        alternative: expected.alternative ?? null,
      });
    };

    test("is found by its layout, and read the same by its name", async () => {
      await writeLayout(root, expected);
      check(await readDataset(root));
      check(await readDataset(root, expected.format));
    });
  },
);

test("every layout has a case", () => {
  expect([...new Set(LAYOUT_CASES.map(({ format }) => format))].sort()).toEqual([...FORMATS].sort());
});

test("a plain folder: upper-case extensions count, hidden and other files do not", async () => {
  const root = await folderOf("parts", ["b.PNG", "more/a.Jpg", ".hidden.png", ".cache/c.png", "notes.txt"]);
  expect(trainPaths(await readDataset(root))).toEqual([["parts", ["b.PNG", "more/a.Jpg"]]]);
  expect(trainPaths(await readDataset(`${root}/`))).toEqual([["parts", ["b.PNG", "more/a.Jpg"]]]);
});

test("links are followed, circles and links to nowhere are not", async () => {
  const root = await folderOf("linked", ["a.png", "more/b.png"]);
  const outside = await folderOf("outside", ["c.png"]);
  await symlink(root, join(root, "more", "round"));
  await symlink(".", join(root, "self"));
  await symlink("loop.png", join(root, "loop.png"));
  await symlink(join(root, "nowhere"), join(root, "dangling.png"));
  await symlink(outside, join(root, "out"));
  await symlink(join(outside, "c.png"), join(root, "d.png"));
  expect(trainPaths(await readDataset(root))).toEqual([["linked", ["a.png", "d.png", "more/b.png", "out/c.png"]]]);
  const { unreadable } = await readDataset(root);
  expect(unreadable).toEqual([
    { path: "dangling.png", reason: "a link to nowhere" },
    { path: "loop.png", reason: "its links go round in a circle" },
  ]);
});

test("two classes may share a folder by a link", async () => {
  const root = await folderOf("shared", ["a/train/good/0.png", "b/test/cut/1.png"]);
  await symlink(join(root, "a", "train"), join(root, "b", "train"));
  expect(trainPaths(await readDataset(root))).toEqual([
    ["a", ["a/train/good/0.png"]],
    ["b", ["b/train/good/0.png"]],
  ]);
});

test("what is no dataset is refused in one line", async () => {
  const refused = async (path: string): Promise<string> => {
    const error: Error = await readDataset(path).then(
      () => new Error("it was read"),
      (error: Error) => error,
    );
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).not.toContain("\n");
    return error.message;
  };
  const root = await folderOf("odd", ["file.png", "empty/.keep", "texts/a.txt", "texts/b.md"]);
  await symlink("ring", join(root, "ring"));
  expect(await refused(join(root, "nothing"))).toBe(`cannot read the folder ${join(root, "nothing")}: it does not exist`);
  expect(await refused(join(root, "file.png"))).toBe(`${join(root, "file.png")} is a file; a folder of images is needed`);
  expect(await refused(join(root, "file.png", "below"))).toContain("a part of the path is a file, not a folder");
  expect(await refused(join(root, "ring"))).toContain("its links go round in a circle");
  expect(await refused(join(root, "empty"))).toContain("empty: no images, it is empty; images end in png, jpg");
  expect(await refused(join(root, "texts"))).toContain("texts: no images, none of its 2 files is one; images end in png, jpg");
});
