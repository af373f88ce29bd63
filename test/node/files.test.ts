import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readDataset } from "../../src/node/dataset.ts";
import { ensureWritableFile, ensureWritableFolder, writeFileAtomic } from "../../src/node/files.ts";
import { temporaryFolder } from "../temporary.ts";

const folder = await temporaryFolder();

test("a file is written over the old one, and nothing else is left", async () => {
  const place = join(folder, "whole");
  await mkdir(place);
  await writeFileAtomic(join(place, "a"), "old");
  await writeFileAtomic(join(place, "a"), "new");
  expect(await readFile(join(place, "a"), "utf8")).toBe("new");
  expect(await readdir(place)).toEqual(["a"]);
});

test("what cannot be written is said in one line, and leaves no trace", async () => {
  const place = join(folder, "taken");
  await mkdir(join(place, "folder"), { recursive: true });
  await writeFile(join(place, "file"), "x");
  await expect(writeFileAtomic(join(place, "folder"), "y")).rejects.toThrow(`cannot write ${join(place, "folder")}: it is a folder`);
  await expect(writeFileAtomic(join(place, "none", "a"), "y")).rejects.toThrow("it does not exist");
  await expect(ensureWritableFolder(join(place, "file", "below"))).rejects.toThrow("a part of the path is a file, not a folder");
  await expect(ensureWritableFolder(join(place, "file"))).rejects.toThrow("a file of that name is in the way");
  await expect(ensureWritableFile(join(place, "folder"))).rejects.toThrow("it is a folder");
  expect((await readdir(place)).sort()).toEqual(["file", "folder"]);
});

test("a dataset is found through links, without hidden files and circles", async () => {
  const root = join(folder, "parts");
  await mkdir(join(root, "more"), { recursive: true });
  for (const name of ["b.PNG", "more/a.jpg", ".hidden.png"]) await writeFile(join(root, name), "");
  await symlink(root, join(root, "more", "round"));
  await symlink(join(root, "nowhere"), join(root, "dangling.png"));
  const { classes } = await readDataset(root);
  expect(classes.map(({ name, train }) => [name, train.map(({ path }) => path)])).toEqual([["parts", ["b.PNG", "more/a.jpg"]]]);
});

test("what is no dataset is refused", async () => {
  await expect(readDataset(join(folder, "nothing"))).rejects.toThrow("it does not exist");
  await writeFile(join(folder, "plain"), "");
  await expect(readDataset(join(folder, "plain"))).rejects.toThrow("is a file; a folder of images is needed");
});
