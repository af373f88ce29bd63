import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { PICTURES } from "../../src/cli/commands/demo.ts";
import { loadMethods } from "../../src/methods/registry.ts";
import { writeSyntheticSet } from "../../src/node/synthetic.ts";
import { replayed } from "../../tools/docs/getting_started.mjs";
import { pageOf } from "../../tools/docs/kernel_docs.mjs";
import * as errors from "../../src/runtime/errors.ts";
import { temporaryFolder } from "../harness/temporary.ts";

const folder = await temporaryFolder();

test("the kernel page says what the shaders say", () => {
  const page = readFileSync("docs/kernels.md", "utf8");
  expect(pageOf(page), "run `node tools/docs/kernel_docs.mjs`").toBe(page);
});

test("the first hour's page says what bigrid says, where it says the same everywhere", async () => {
  const page = readFileSync("docs/getting_started.md", "utf8");
  const set = "bigrid-demo/images";
  await writeSyntheticSet(join(folder, set), PICTURES);
  const same = (command: string): boolean =>
    /^bigrid (inspect|trian|train photos|train .*(--ot|-b4)|eval nosuchrun|eval bigrid-demo)/.test(command);
  expect(page.split("\n").filter((line) => line.startsWith("$ ") && same(line.slice(2)))).toHaveLength(7);
  expect(replayed(page, folder, same), "run `node tools/docs/getting_started.mjs`").toBe(page);
});

test("the page of methods says of each what it suits, in a short phrase", async () => {
  const rows = readFileSync("docs/methods/README.md", "utf8").split("\n");
  for (const { name, suits } of await loadMethods()) {
    expect(rows.filter((row) => row.includes(`| \`${name}\``) && row.includes(`| ${suits} |`))).toHaveLength(1);
    expect(suits).toMatch(/^[a-z].{20,130}[a-z]$/);
  }
});

test("each kind of error is documented with its code", () => {
  const page = readFileSync("docs/architecture.md", "utf8");
  const { shapeError: _function, BigridError: _all, ...kinds } = errors;
  for (const [name, kind] of Object.entries(kinds))
    expect(page).toContain(`| \`${name}\` | \`${new kind("").code}\` |`);
});
