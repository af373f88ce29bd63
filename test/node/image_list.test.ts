import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { expect, test } from "vitest";
import { commonFolder, liesIn, listImages, namesIn } from "../../src/node/image_list.ts";
import { temporaryFolder } from "../temporary.ts";

const folder = await temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);
await mkdir(at("a", "deep", "er"), { recursive: true });
await mkdir(at("empty"));
for (const name of ["b.png", "a/2.JPG", "a/10.jpg", "a/deep/er/x.bmp", "a/.hidden.png", "a/notes.txt", "a/[1].png"]) await writeFile(at(name), "");
await symlink(at("a"), at("a", "deep", "circle"));
await symlink(at("b.png"), at("link.png"));
const named = async (...words: string[]) => (await listImages(words)).images.map((path) => relative(folder, path));

test("a folder is its images at any depth, without what is hidden, each once, in order of the paths' code units", async () => {
  expect(await named(at("a"))).toEqual(["a/10.jpg", "a/2.JPG", "a/[1].png", "a/deep/er/x.bmp"]);
  expect(await named(at("b.png"), at("a"), at("a", "2.JPG"), `${at("a")}${sep}..${sep}b.png`)).toEqual(["a/10.jpg", "a/2.JPG", "a/[1].png", "a/deep/er/x.bmp", "b.png"]);
});

test("a pattern is what it matches, unless a file has that very name", async () => {
  expect(await named(`${folder}/**/*.{jpg,bmp}`)).toEqual(["a/10.jpg", "a/deep/er/x.bmp"]);
  expect(await named(`${folder}/*.png`)).toEqual(["b.png", "link.png"]);
  expect(await named(at("a", "[1].png"))).toEqual(["a/[1].png"]);
  await expect(named(`${folder}/*.webp`)).rejects.toThrow("*.webp names no images");
});

test("a file that does not exist is left to be named when it is read; a folder without images is an error", async () => {
  expect(await named(at("nothing.png"))).toEqual(["nothing.png"]);
  await expect(named(at("empty"))).rejects.toThrow("empty names no images");
});

test("what is written is no input, unless it is named itself", async () => {
  const isLeftOut = (path: string) => liesIn(path, [at("a", "deep")]);
  expect((await listImages([at("a")], isLeftOut)).images).not.toContain(at("a", "deep", "er", "x.bmp"));
  expect((await listImages([at("a", "deep", "er", "x.bmp")], isLeftOut)).images).toHaveLength(1);
  expect(liesIn(at("a", "deeper"), [at("a", "deep")])).toBe(false);
});

test("a list has a name a line, or each up to a NUL", () => {
  expect(namesIn("a.png\r\n\nb c.png\n")).toEqual(["a.png", "b c.png"]);
  expect(namesIn("a\nb.png\0c.png\0")).toEqual(["a\nb.png", "c.png"]);
});

test("the folder that paths have in common", () => {
  expect(commonFolder(["/x/a/1.png", "/x/a/b/2.png", "/x/ab/3.png"])).toBe("/x");
  expect(commonFolder(["/x/a/1.png"])).toBe("/x/a");
  expect(commonFolder(["/1.png", "/x/2.png"])).toBe("/");
});
