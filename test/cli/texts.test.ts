// Whatever repeats what was typed, or what a file holds: nothing of it does anything to a terminal.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { encodePng } from "../../src/node/images.ts";
import { temporaryFolder } from "../harness/temporary.ts";
import { bigrid } from "./program.ts";

const folder = await temporaryFolder();
const HOSTILE = "x\x1b[31m\x9b2J\u202egpj\u2066\u200f\u200b\u2028{bar}\nbigrid: forged";
const SHOWN = "x\\u001b[31m\\u009b2J\\u202egpj\\u2066\\u200f\\u200b\\u2028{bar}\\nbigrid: forged";
const UNSEEN = /[\0-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;

function expectHarmless({ stdout, stderr }: { readonly stdout: string; readonly stderr: string }): void {
  for (const text of [stdout, stderr]) {
    expect(text).not.toMatch(UNSEEN);
    expect(text).not.toMatch(/^bigrid: forged/m);
  }
}

test.each([
  ["an unknown option", ["train", `--${HOSTILE}`], 2],
  ["an unknown command", [HOSTILE], 2],
  ["a value that is none", ["predict", "run", "a", "--batch", HOSTILE], 2],
  ["a choice that is none", ["info", "--backbone", HOSTILE], 2],
  ["a path that is not there", ["inspect", join(folder, HOSTILE)], 1],
  ["the stack of an error", ["--debug", "inspect", join(folder, HOSTILE)], 1],
] as const)("%s is repeated with what cannot be seen written out", async (_, words, code) => {
  const outcome = await bigrid(words);
  expect(outcome.code).toBe(code);
  expect(outcome.stderr).toContain(SHOWN);
  expectHarmless(outcome);
});

test("commander's suggestion stays a line of its own", async () => {
  expect((await bigrid(["train", "--ou", "x"])).stderr).toMatch(
    /^error: unknown option '--ou'\n\(Did you mean --out\?\)\n/,
  );
});

test("classes of such names, and of very long ones, are listed, and JSON is the same JSON", async () => {
  const set = join(folder, "set");
  const long = "long ".repeat(40).trim();
  for (const name of [HOSTILE, long, "__proto__"]) {
    const good = join(set, name, "train", "good");
    await mkdir(good, { recursive: true });
    for (const file of ["1.png", "\u202e2.png"])
      await writeFile(join(good, file), await encodePng(new Uint8Array(4 * 64 * 64).fill(128), 64, 64));
  }
  const told = await bigrid(["inspect", set]);
  expect(told.code).toBe(0);
  expect(told.stdout).toContain("__proto__");
  // its row of the table; findings name whole paths
  expect(told.stdout).toMatch(/^long long .*\.\.\..* long +2 +0 +0 +0$/m);
  expectHarmless(told);
  await bigrid(["inspect", set, "--out", join(folder, "page.html")]);
  const page = await readFile(join(folder, "page.html"), "utf8");
  expect(page).toContain("<title>set</title>");
  expect(page).toContain(SHOWN.replaceAll("'", "&#39;"));
  expect(page).not.toContain(folder);
  expect(page.replaceAll("\n", "")).not.toMatch(UNSEEN);
  const json = await bigrid(["inspect", set, "--json"]);
  expectHarmless(json);
  expect((JSON.parse(json.stdout) as { classes: { name: string }[] }).classes.map(({ name }) => name).sort()).toEqual(
    [HOSTILE, long, "__proto__"].sort(),
  );
});
