import { spawn } from "node:child_process";
import { copyFile, mkdir, readFile, symlink, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import type { ClassSurvey, Finding } from "../../src/data/survey.ts";
import { loadMethods } from "../../src/methods/registry.ts";
import { LAYOUT_CASES, writeLayout, writePicture } from "../harness/layouts.ts";
import { temporaryFolder } from "../harness/temporary.ts";

// The built program, run as a user runs it: `npm test` builds it first.
const PROGRAM = new URL("../../dist/bigrid.js", import.meta.url).pathname;

function bigrid(...words: readonly string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [PROGRAM, ...words]);
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (data: Buffer) => (stdout += data.toString()));
    child.stderr.on("data", (data: Buffer) => (stderr += data.toString()));
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

interface Report {
  readonly dataset: string;
  readonly layout: { readonly format: string; readonly title: string; readonly rule: string };
  readonly alternative: string | null;
  readonly page: string | null;
  readonly classes: readonly ClassSurvey[];
  readonly findings: readonly Finding[];
}

const folder = await temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);

/** A tidy set: ten good images, two to test, one of them with a mask. */
async function writeTidy(root: string): Promise<void> {
  const train = Array.from({ length: 10 }, (_, i) => `train/good/${i}.png`);
  await writeLayout(root, {
    images: [...train, "test/good/10.png", "test/cut/11.png", "ground_truth/cut/11_mask.png"],
  });
}

await writeTidy(at("tidy"));

describe("inspect", () => {
  test("explains a tidy set, and what to do next", async () => {
    const { code, stdout } = await bigrid("inspect", at("tidy"));
    expect(code).toBe(0);
    const methods = await loadMethods();
    const width = Math.max(...methods.map(({ name }) => name.length));
    expect(stdout).toBe(`${at("tidy")}: MVTec AD's layout (--format mvtec), one class, "tidy"

Read as
  train/good: good images
  test/good and test/<defect>: test images
  ground_truth/<defect>/NAME_mask.png or NAME.png: where the defect is

Class   learn from   test good   test defective   masks
tidy            10           1                1       1

Images
  defects  cut 1
  size     all 16x16 pixels
  files    png 12
  colours  colour 12

Nothing looks wrong.

Methods (--method), and what they suit
${methods.map(({ name, suits }) => `  ${name.padEnd(width)}  ${suits}`).join("\n")}
10 good images are few: --method grad or patchcore suits them; --set augment=both also trains on turned and mirrored copies, if parts lie in any rotation

pictures: bigrid inspect ${at("tidy")} --out PAGE.html
next: bigrid train ${at("tidy")} --out RUN
or:   bigrid compare ${at("tidy")} --out DIR   measures the methods on these images
`);
  });

  test.each(LAYOUT_CASES.map((entry, i) => [entry.what, entry, at(`layout${i}`, "set")] as const))(
    "names the layout of %s, and counts what it holds",
    async (_what, expected, root) => {
      await writeLayout(root, expected);
      const { code, stdout } = await bigrid("inspect", root, "--json", "--format", expected.format);
      expect(code).toBe(0);
      const { dataset, layout, alternative, classes, findings } = JSON.parse(stdout) as Report;
      expect([dataset, layout.format, alternative]).toEqual([root, expected.format, expected.alternative ?? null]);
      expect(
        classes.map(({ name, train, testGood, testDefective, masks }) => [name, train, testGood, testDefective, masks]),
      ).toEqual(
        expected.classes.map(({ name, train, test: items }) => {
          const defective = items.filter(([, defect]) => defect !== "good");
          return [
            name,
            train.length,
            items.length - defective.length,
            defective.length,
            defective.reduce((sum, [, , masks = []]) => sum + masks.length, 0),
          ];
        }),
      );
      const pathsOf = (kind: Finding["kind"]) =>
        findings.filter((finding) => finding.kind === kind).flatMap(({ paths }) => paths);
      expect(pathsOf("mask-stray")).toEqual(expected.strayMasks ?? []);
      expect(pathsOf("unused")).toEqual(expected.unused ?? []);
      expect(pathsOf("aside")).toEqual(expected.aside ?? []);
      expect(pathsOf("unreadable")).toEqual([]);
    },
  );

  test("finds everything that is wrong, and nothing else", async () => {
    const root = at("wrong");
    await writeTidy(root);
    const flat = async (path: string, value: number, width = 16, height = width) => {
      await mkdir(dirname(join(root, path)), { recursive: true });
      const picture = sharp(new Uint8Array(width * height).fill(value), {
        raw: { width, height, channels: 1 },
      }).toColourspace("b-w");
      await (path.endsWith("jpg") ? picture.jpeg() : picture.png()).toFile(join(root, path));
    };
    for (const name of ["bare", "empty", "full", "half", "wide", "lossy"])
      await writePicture(join(root, `test/dent/${name}.png`), name.length * 20 + name.charCodeAt(0));
    await flat("ground_truth/dent/empty.png", 0);
    await flat("ground_truth/dent/full.png", 1);
    await sharp(join(root, "ground_truth/cut/11_mask.png"))
      .resize(8, 8, { kernel: "nearest" })
      .toFile(join(root, "ground_truth/dent/half_mask.png"));
    await sharp(join(root, "ground_truth/cut/11_mask.png"))
      .resize(8, 16, { kernel: "nearest", fit: "fill" })
      .toFile(join(root, "ground_truth/dent/wide.png"));
    await sharp(join(root, "ground_truth/cut/11_mask.png"))
      .modulate({ brightness: 200 })
      .jpeg()
      .toFile(join(root, "ground_truth/dent/lossy.jpg"));
    await flat("ground_truth/dent/nobody.png", 1);
    await flat("train/good/grey.png", 99);
    await flat("train/good/dot.png", 5, 4);
    await copyFile(join(root, "train/good/3.png"), join(root, "test/good/copy.png"));
    await copyFile(join(root, "train/good/4.png"), join(root, "train/good/cut.png"));
    await truncate(join(root, "train/good/cut.png"), 60);
    await writeFile(join(root, "train/good/nothing.jpg"), "");
    await symlink(join(root, "nowhere"), join(root, "train/good/link.png"));
    await writePicture(join(root, "elsewhere/a.png"), 7);
    await writeFile(join(root, "Thumbs.db"), "");
    const { code, stdout } = await bigrid("inspect", root, "--json");
    expect(code).toBe(0);
    const { findings } = JSON.parse(stdout) as Report;
    expect(Object.fromEntries(findings.map(({ kind, paths }) => [kind, paths]))).toEqual({
      unreadable: [
        "train/good/cut.png: the image is cut off or damaged",
        "train/good/link.png: a link to nowhere",
        "train/good/nothing.jpg: the file is empty",
      ],
      "too-small": ["train/good/dot.png"],
      "mask-missing": ["test/dent/bare.png"],
      "mask-stray": ["ground_truth/dent/nobody.png"],
      "mask-empty": ["ground_truth/dent/empty.png"],
      "mask-full": ["ground_truth/dent/full.png"],
      "mask-shape": ["ground_truth/dent/wide.png"],
      "mask-lossy": ["ground_truth/dent/lossy.jpg"],
      "trained-on": ["test/good/copy.png = train/good/3.png"],
      unused: ["elsewhere/a.png"],
      "mixed-modes": [],
      "mask-size": ["ground_truth/dent/half_mask.png"],
    });
    expect(findings.map(({ severity }) => severity)).toEqual([
      ...Array<string>(10).fill("problem"),
      "remark",
      "remark",
    ]);
    const { stdout: text } = await bigrid("inspect", root);
    expect(text).toContain(
      "\nWhat looks wrong\n  - 3 files or folders cannot be read\n    they are left out, or end a strict run",
    );
    expect(text).toContain("wrong: 1 of 7 defective images have no mask");
    expect(text).toContain(
      "1 test image is also a training image\n    metrics come out too good; remove them from one of the two\n      test/good/copy.png = train/good/3.png\n",
    );
    expect(text).toContain("\nGood to know\n  - wrong: images are colour (19), grey (2)\n");
  });

  test("writes a page of pictures that holds everything it shows, names as text", async () => {
    const root = at("x", "<b>&");
    await writeTidy(root);
    const { code, stdout } = await bigrid("inspect", root, "--out", at("pages", "page.html"));
    expect(code).toBe(0);
    expect(stdout).toContain(`pictures  ${at("pages", "page.html")}   open it in a browser`);
    const page = await readFile(at("pages", "page.html"), "utf8");
    for (const { suits } of await loadMethods()) expect(page).toContain(`It suits ${suits}.`);
    expect(page).toContain("<h1>&#60;b&#62;&#38;</h1>");
    expect(page).not.toContain("<b>&");
    expect(page.match(/<img src="data:image\/jpeg/g)).toHaveLength(4 + 1 + 1);
    expect(page.match(/<img src="data:image\/png/g)).toHaveLength(1);
    expect(page).not.toMatch(/(?:src|href)="(?!data:)/);
  });

  test("what cannot be understood ends with 1 and one line, wrong usage with 2", async () => {
    await writePicture(at("mixed", "good", "a.png"), 1);
    await writePicture(at("mixed", "bad", "b.png"), 1);
    const refused = await bigrid("inspect", at("mixed"));
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toBe(
      "bigrid: mixed: good/ (1 image) holds the good images, but bad/ lie beside it (1 image); defective images belong in test/bad, good ones in good\n",
    );
    expect((await bigrid("inspect", at("tidy"), "--format", "btad")).stderr).toContain(
      "tidy is not laid out as btad: expected train/ok",
    );
    expect(await bigrid("inspect", at("tidy"), "--format", "coco")).toMatchObject({ code: 2, stdout: "" });
    expect(await bigrid("inspect")).toMatchObject({ code: 2, stdout: "" });
  });

  test("train and eval take the same names of layouts", async () => {
    const trained = await bigrid("train", at("tidy"), "--out", at("run"), "--format", "btad");
    expect(trained).toMatchObject({ code: 1, stdout: "" });
    expect(trained.stderr).toContain("tidy is not laid out as btad: expected train/ok: good images;");
    expect((await bigrid("eval", "--help")).stdout).toContain('"mvtec", "visa", "goodsad"');
  });
});

test("folders that may be parts of their own are remarked where they are read as one class", async () => {
  await writeLayout(at("parts"), { images: ["nuts/a.png", "bolts/b.png"] });
  const { findings } = JSON.parse((await bigrid("inspect", at("parts"), "--json")).stdout) as Report;
  expect(findings.find(({ kind }) => kind === "one-class")).toMatchObject({
    severity: "remark",
    paths: ["bolts", "nuts"],
  });
});

test("what is doubtful about a layout is said by train too", async () => {
  await writeLayout(at("doubt"), {
    images: ["train/good/0.png", "train/good/v/0.png", "train/good/1.png", "train/good/v/1.png", "test/pass/2.png"],
  });
  const { stderr } = await bigrid("train", at("doubt"), "--out", at("doubtRun"), "--set", "no=1");
  expect(stderr).toContain("1 kind of defect has a name that may mean good (doubt: pass (1 image)): read as defective");
  expect(stderr).toContain("4 images have others of their names beside them, or are these (such as train/good/0.png)");
});

test("12-bit data in 16-bit files is named, with what to do; train and predict say it too", async () => {
  const deep = (path: string, high: number, turn = 0) =>
    sharp(
      Uint16Array.from({ length: 32 * 32 }, (_, i) => (high * ((i + turn) % (32 * 32))) / (32 * 32 - 1)),
      { raw: { width: 32, height: 32, channels: 1 } },
    )
      .toColourspace("grey16")
      .png()
      .toFile(path);
  await mkdir(at("narrow"), { recursive: true });
  for (let i = 0; i < 12; i++) await deep(at("narrow", `${i}.png`), 4095 - i, 70 * i);
  const message = "all values of 12 images are at most 4095: 12-bit data in 16-bit files?";
  const { classes, findings } = JSON.parse((await bigrid("inspect", at("narrow"), "--json")).stdout) as Report;
  expect(classes[0]!.modes).toEqual({ "grey 16-bit": 12 });
  const found = findings.find(({ kind }) => kind === "narrow-range");
  expect(found).toMatchObject({ severity: "problem", message: `narrow: ${message}` });
  expect(found!.advice).toContain("16 grey levels of 256; multiply the values of all images by 16");
  const trained = await bigrid(
    "train",
    at("narrow"),
    "--out",
    at("narrowRun"),
    "--size",
    "64",
    "--decoder",
    "tiny",
    "--epochs-normal",
    "1",
    "--epochs-abnormal",
    "1",
    "--set",
    "folds=0",
  );
  expect(trained.stderr).toContain(message);
  const predicted = await bigrid("predict", at("narrowRun"), at("narrow"));
  expect([predicted.code, predicted.stderr]).toEqual([0, expect.stringContaining(message)]);
  await deep(at("narrow", "bright.png"), 65_535);
  const bright = JSON.parse((await bigrid("inspect", at("narrow"), "--json")).stdout) as Report;
  expect(bright.findings.some(({ kind }) => kind === "narrow-range")).toBe(false);
});
