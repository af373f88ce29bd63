import { execFileSync } from "node:child_process";
import { link, mkdir, symlink, writeFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { expect, test } from "vitest";
import { markOutput } from "../../src/node/files/folder_listing.ts";
import { commonFolder, liesIn, listImages } from "../../src/cli/predict/image_list.ts";
import { namesIn, namesInList } from "../../src/cli/predict/name_list.ts";
import { temporaryFolder } from "../harness/temporary.ts";

const folder = await temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);
await mkdir(at("a", "deep", "er"), { recursive: true });
await mkdir(at("empty"));
for (const name of ["b.png", "a/2.JPG", "a/10.jpg", "a/deep/er/x.bmp", "a/.hidden.png", "a/notes.txt", "a/[1].png"])
  await writeFile(at(name), "");
await symlink(at("a"), at("a", "deep", "circle"));
await symlink(at("b.png"), at("link.png"));
const named = async (...words: string[]) => (await listImages(words)).images.map((path) => relative(folder, path));

test("a folder is its images at any depth, without what is hidden, each once, in order of the paths' code units", async () => {
  expect(await named(at("a"))).toEqual(["a/10.jpg", "a/2.JPG", "a/[1].png", "a/deep/er/x.bmp"]);
  expect(await named(at("b.png"), at("a"), at("a", "2.JPG"), `${at("a")}${sep}..${sep}b.png`)).toEqual([
    "a/10.jpg",
    "a/2.JPG",
    "a/[1].png",
    "a/deep/er/x.bmp",
    "b.png",
  ]);
});

test("a pattern is what it matches, unless a file has that very name", async () => {
  expect(await named(`${folder}/**/*.{jpg,bmp}`)).toEqual(["a/10.jpg", "a/deep/er/x.bmp"]);
  expect(await named(`${folder}/*.png`)).toEqual(["b.png"]); // link.png is b.png
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

test("brackets, parentheses and braces in the names of folders and files are theirs, in patterns too", async () => {
  const names = ["Photos (1)/1.png", "[a]/2.png", "{b}/c (2).png", "!x/3.png"];
  for (const name of names) await mkdir(at("odd", name, ".."), { recursive: true });
  for (const name of names) await writeFile(at("odd", name), "");
  for (const name of names) expect(await named(at("odd", name))).toEqual([`odd/${name}`]);
  for (const name of names)
    expect(await named(`${at("odd", name).replace(/[^/]*$/, "")}*.png`)).toEqual([`odd/${name}`]);
  expect(await named(`${at("odd")}/**/c (2)*.png`)).toEqual(["odd/{b}/c (2).png"]);
  expect(await named(`${at("odd")}/*/[1-2].png`)).toEqual(["odd/Photos (1)/1.png", "odd/[a]/2.png"]);
});

test("a pattern goes once through folders that link each other", async () => {
  for (let i = 0; i < 22; i++) await mkdir(at("web", `f${i}`), { recursive: true });
  for (let i = 0; i < 22; i++) {
    await writeFile(at("web", `f${i}`, `${i}.png`), "");
    for (const step of [1, 2]) await symlink(at("web", `f${(i + step) % 22}`), at("web", `f${i}`, `to${step}`));
  }
  expect(await named(`${at("web")}/**/*.png`)).toHaveLength(22);
});

test.skipIf(process.platform === "win32")("a pipe that is named is not opened", async () => {
  execFileSync("mkfifo", [at("pipe.png")]);
  expect(await listImages([at("pipe.png")])).toEqual({
    images: [],
    unreadable: [{ path: at("pipe.png"), reason: "it is a pipe, not a file" }],
    remarks: [],
  });
});

test("one file by several names is processed once, and that is said", async () => {
  await mkdir(at("twice"));
  await writeFile(at("twice", "1.png"), "");
  await link(at("twice", "1.png"), at("twice", "2.png"));
  const { images, remarks } = await listImages([at("twice", "1.png"), at("twice", "2.png"), at("twice", "1.png")]);
  expect(images).toEqual([at("twice", "1.png")]);
  expect(remarks).toEqual([expect.stringContaining("named more than once, and processed once: 2, such as ")]);
});

test("masks, depth and the like that lie beside photographs in a folder are left out, and that is said; named themselves, they are taken", async () => {
  const photographs = ["test/dent/000.png", "test/dent/001.png", "test/good/rgb/000.png"];
  const companions = [
    "ground_truth/dent/000_mask.png",
    "test/dent/001_depth.png",
    "test/good/gt/000.png",
    "test/good/xyz/000.tiff",
  ];
  for (const name of [...photographs, ...companions]) {
    await mkdir(at("parts", name, ".."), { recursive: true });
    await writeFile(at("parts", name), "");
  }
  const expected = photographs.map((name) => at("parts", name));
  for (const word of [at("parts"), `${at("parts")}/**/*`]) {
    const { images, remarks } = await listImages([word]);
    expect(images).toEqual(expected);
    expect(remarks).toEqual([
      expect.stringMatching(
        /^left out: 4 images of masks, depth or the like beside photographs, such as \S+; name the files to include them$/,
      ),
    ]);
  }
  expect(await named(at("parts", "ground_truth"))).toEqual(["parts/ground_truth/dent/000_mask.png"]);
  expect(await named(at("parts", companions[1]!))).toEqual([`parts/${companions[1]!}`]);
  expect(await named(`${at("parts")}/test/good/gt/*.png`)).toEqual(["parts/test/good/gt/000.png"]);
});

test("what cannot be decoded, what bigrid wrote, and paths of Windows are named", async () => {
  await mkdir(at("mixed", "heat"), { recursive: true });
  for (const name of ["a.png", "b.HEIC", "c.dng"]) await writeFile(at("mixed", name), "");
  await markOutput(at("mixed", "heat"));
  await writeFile(at("mixed", "heat", "a.png"), "");
  const expected = [
    "left out: 2 image files of formats that cannot be decoded (.heic 1, .dng 1): convert them to png or jpg",
    `left out: the pictures in ${at("mixed", "heat")}, which bigrid wrote; name that folder itself to include them`,
  ];
  expect(await listImages([at("mixed")])).toEqual({
    images: [at("mixed", "a.png")],
    unreadable: [],
    remarks: expected,
  });
  expect((await listImages([`${at("mixed")}/**/*`])).remarks).toEqual(expected);
  expect(await named(at("mixed", "heat"))).toEqual(["mixed/heat/a.png"]);
  expect(await named(at("mixed", "a.png").replaceAll("/", "\\"))).toEqual(["mixed/a.png"]);
  const { images, remarks } = await listImages(["C:\\photos\\a.png"]);
  expect([images, remarks]).toEqual([
    ["C:\\photos\\a.png"],
    ["1 of the names are paths of Windows and not there, C:\\photos\\a.png: write them as this system does"],
  ]);
  expect((await listImages(["a\uFFFD.png"])).unreadable[0]!.reason).toContain("its name is not UTF-8");
});

test("a list is UTF-8 or UTF-16 with its mark; anything else, and the root of the file system, are refused", async () => {
  expect(namesInList(Buffer.from("\uFEFFa.png\r\n", "utf16le"))).toEqual(["a.png"]); // as Windows writes it
  const utf16 = Buffer.from("\uFEFFä.png\r\n\r\n  \nb c.png\n", "utf16le");
  expect(namesInList(utf16)).toEqual(["ä.png", "b c.png"]);
  expect(namesInList(Buffer.from(utf16).swap16())).toEqual(["ä.png", "b c.png"]);
  expect(namesInList(Buffer.from("\uFEFFä.png\n\n"))).toEqual(["ä.png"]);
  expect(namesInList(Buffer.from("a\nb.png\0c.png\0"))).toEqual(["a\nb.png", "c.png"]);
  for (const bytes of [
    utf16.subarray(2),
    Buffer.from(utf16.subarray(2)).swap16(),
    Buffer.from("写真/一.png\n", "utf16le"),
  ]) {
    expect(() => namesInList(bytes)).toThrow(
      "the list is neither UTF-8 nor UTF-16 with a byte-order mark: save it as UTF-8",
    );
  }
  for (const name of ["/", "//", "/x/.."])
    expect(() => namesInList(Buffer.from(`a.png\n${name}\n`))).toThrow("the list names the root of the file system");
  expect(await listImages([""])).toMatchObject({ images: [""] }); // a file that is not there, not the working folder
});
