// The programs of the library's page, run one after another in one folder against the built package.
import { execFile } from "node:child_process";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import ts from "typescript";
import { beforeAll, expect, test } from "vitest";
import { writeSyntheticSet } from "../../src/node/synthetic.ts";
import { temporaryFolder } from "../harness/temporary.ts";

const page = await readFile("docs/library.md", "utf8");
const programs = [...page.matchAll(/^## (.+)$|^```ts\n([\s\S]*?)^```$/gm)].reduce<[title: string, code: string][]>(
  (found, [, title, code]) => {
    if (title !== undefined) return [...found, [title, ""]];
    return [...found.slice(0, -1), [found.at(-1)![0], found.at(-1)![1] + code]];
  },
  [],
);
const folder = await temporaryFolder();

beforeAll(async () => {
  await writeSyntheticSet(join(folder, "set"), { size: 64, train: 10, good: 2, defective: 2, seed: 4 });
  await symlink(join(folder, "set", "weave"), join(folder, "bolts"));
  await mkdir(join(folder, "node_modules"));
  await symlink(resolve("."), join(folder, "node_modules", "bigrid"));
  await writeFile(join(folder, "package.json"), JSON.stringify({ type: "module" }));
});

const options: ts.CompilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext };

test.each(programs.filter(([, code]) => code !== ""))(
  "%s: its program prints what its comments say",
  async (_, code) => {
    const file = join(folder, "program.mjs");
    await writeFile(file, `${ts.transpile(code, options)}\nprocess.exit(0);\n`);
    const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd: folder });
    const expected = [...code.matchAll(/\/\/ prints (.*)$/gm)].map(([, text]) => text);
    for (const line of expected) expect(stdout.split("\n")).toContain(line);
    expect(stdout).not.toBe("");
  },
);

test("shows the example of a kernel as it is, in fewer than 40 lines", async () => {
  const example = await readFile("examples/own_kernel.mjs", "utf8");
  expect(page).toContain(`\`\`\`js\n${example}\`\`\`\n`);
  expect(example.split("\n").length - 1).toBeLessThan(40);
});

test("names every way into the package", async () => {
  const { exports } = JSON.parse(await readFile("package.json", "utf8")) as { exports: Record<string, unknown> };
  for (const name of Object.keys(exports)) expect(page).toContain(`| \`${name.replace(".", "bigrid")}\` |`);
});
