import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { link, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Dataset } from "../../src/data/dataset.ts";
import { readDataset } from "../../src/node/dataset.ts";
import { markOutput } from "../../src/node/files/folder_listing.ts";
import { FORMATS } from "../../src/data/layouts/layout.ts";
import { InputError } from "../../src/runtime/errors.ts";
import { LAYOUT_CASES, writeLayout } from "../harness/layouts.ts";
import { temporaryFolder } from "../harness/temporary.ts";

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
    const check = ({ classes, layout, strayMasks, unused, aside, companions, unreadable, alternative }: Dataset) => {
      expect(classes.map(({ name, train, test: items }) => ({ name, train, test: items }))).toEqual(
        expected.classes.map(({ name, train, test: items }) => ({
          name,
          train: train.map((path) => ({ path, defective: false, defect: "good", masks: [] })),
          test: items.map(([path, defect, masks = []]) => ({ path, defective: defect !== "good", defect, masks })),
        })),
      );
      expect(layout.format).toBe(expected.format);
      expect({ strayMasks, unused, aside, companions: [...companions].sort(), unreadable, alternative }).toEqual({
        strayMasks: expected.strayMasks ?? [],
        unused: expected.unused ?? [],
        aside: expected.aside ?? [],
        companions: expected.companions ?? [],
        unreadable: [],
        alternative: expected.alternative ?? null,
      });
    };

    test("is found by its layout, and read the same by its name", async () => {
      await writeLayout(root, expected);
      check(await readDataset(root));
      check(await readDataset(root, { format: expected.format }));
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
  expect(trainPaths(await readDataset(root))).toEqual([["linked", ["a.png", "more/b.png", "out/c.png"]]]);
  const { unreadable, repeated } = await readDataset(root);
  expect(repeated).toEqual([{ path: "d.png", reason: "is the file out/c.png by another name" }]);
  expect(unreadable).toEqual([
    { path: "dangling.png", reason: "a link to nowhere" },
    { path: "loop.png", reason: "its links go round in a circle" },
  ]);
});

test("a folder that two classes share by a link is read once, and the other class says why it has nothing", async () => {
  const root = await folderOf("shared", ["a/train/good/0.png", "b/train/good/1.png", "b/test/cut/1.png"]);
  await symlink(join(root, "a", "train"), join(root, "b", "test", "good"));
  const { classes, repeated } = await readDataset(root);
  expect(trainPaths({ classes } as Dataset)).toEqual([
    ["a", ["a/train/good/0.png"]],
    ["b", ["b/train/good/1.png"]],
  ]);
  expect(repeated).toEqual([{ path: "b/test/good", reason: "is the folder a/train by another name" }]);
  await rm(join(root, "b", "train"), { recursive: true });
  await expect(readDataset(root)).rejects.toThrow(
    /^b: no good images to learn from; .*; b\/test\/good is the folder a\/train by another name$/,
  );
});

test("folders that link each other are each looked into once", async () => {
  const names = Array.from({ length: 22 }, (_, i) => `f${i}`);
  const root = await folderOf(
    "web",
    names.map((name) => `${name}/${name}.png`),
  );
  for (const [i, name] of names.entries()) {
    await symlink(join(root, names[(i + 1) % 22]!), join(root, name, "next"));
    await symlink(join(root, names[(i + 2) % 22]!), join(root, name, "over"));
  }
  const { classes, repeated } = await readDataset(root);
  expect(classes[0]!.train).toHaveLength(22);
  expect(repeated).toHaveLength(44);
});

test("an image with several names is one image, by its own path rather than by a link", async () => {
  const root = await folderOf("names", ["b.png", "z/c.png"]);
  await link(join(root, "b.png"), join(root, "z", "hard.png"));
  await symlink("z/c.png", join(root, "a.png"));
  expect(trainPaths(await readDataset(root))).toEqual([["names", ["b.png", "z/c.png"]]]);
  expect((await readDataset(root)).repeated.map(({ path }) => path)).toEqual(["a.png", "z/hard.png"]);
});

test.skipIf(process.platform === "win32")(
  "pipes, sockets, names that are not UTF-8 and folders that lie too deep are named, and nothing waits for them",
  async () => {
    const root = await folderOf("special", ["a.png"]);
    execFileSync("mkfifo", [join(root, "pipe.png")]);
    const server = createServer().listen(join(root, "socket.png"));
    await once(server, "listening");
    await writeFile(Buffer.concat([Buffer.from(`${root}/latin`), Buffer.from([0xe9]), Buffer.from(".png")]), "");
    const deep = `i=0; while [ $i -lt 45 ]; do mkdir ${"x".repeat(100)} && cd ${"x".repeat(100)} || break; i=$((i+1)); done`;
    execFileSync("sh", ["-c", deep], { cwd: root, stdio: "ignore" });
    const { unreadable, classes } = await readDataset(root);
    server.close();
    expect(classes[0]!.train.map(({ path }) => path)).toEqual(["a.png"]);
    const [latin, pipe, socket, nest] = unreadable;
    expect(latin).toEqual({ path: "latin\\xe9.png", reason: "its name is not UTF-8 (rename it)" });
    expect([pipe, socket]).toEqual([
      { path: "pipe.png", reason: "it is a pipe, not a file" },
      { path: "socket.png", reason: "it is a socket, not a file" },
    ]);
    expect(nest!.reason).toBe("the name is too long");
    execFileSync("rm", ["-rf", root]);
  },
);

test("pictures that bigrid wrote are no part of a dataset, unless their folder is named itself or held other files before", async () => {
  const root = await folderOf("own", ["a.png"]);
  await mkdir(join(root, "out", "heat"), { recursive: true });
  expect(await markOutput(join(root, "out", "heat"))).toBe(true);
  await writeFile(join(root, "out", "heat", "a.png"), "");
  expect(await markOutput(join(root, "out", "heat"))).toBe(true);
  expect(await readDataset(root)).toMatchObject({ outputs: ["out/heat"], classes: [{ train: [{ path: "a.png" }] }] });
  expect(trainPaths(await readDataset(join(root, "out", "heat")))).toEqual([["heat", ["a.png"]]]);
  await expect(readDataset(join(root, "out"))).rejects.toThrow("out: no images, but those that bigrid wrote in heat;");
  expect(await markOutput(root)).toBe(false);
  expect((await readDataset(root)).classes[0]!.train).toHaveLength(1);
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
  expect(await refused(join(root, "nothing"))).toBe(
    `cannot read the folder ${join(root, "nothing")}: it does not exist`,
  );
  expect(await refused(join(root, "file.png"))).toBe(
    `${join(root, "file.png")} is a file; a folder of images is needed`,
  );
  expect(await refused(join(root, "file.png", "below"))).toContain("a part of the path is a file, not a folder");
  expect(await refused(join(root, "ring"))).toContain("its links go round in a circle");
  expect(await refused(join(root, "empty"))).toContain("empty: no images, it is empty; images end in png, jpg");
  expect(await refused(join(root, "texts"))).toContain(
    "texts: no images, none of its 2 files is one; images end in png, jpg",
  );
});
