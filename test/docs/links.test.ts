import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { PAGES } from "./pages.ts";

/** The name that a heading has in links. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");

const anchorsOf = (path: string): string[] =>
  [...readFileSync(path, "utf8").matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchorOf(heading!));

test("every link between pages, and from them to files, leads somewhere", () => {
  expect(PAGES.length).toBeGreaterThan(25);
  const broken = PAGES.flatMap((page) =>
    [...readFileSync(page, "utf8").matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target]) => target!)
      .filter((target) => !/^https?:/.test(target))
      .filter((target) => {
        const [file, anchor] = target.split("#") as [string, string?];
        const path = file === "" ? page : join(dirname(page), file);
        return !existsSync(path) || (anchor !== undefined && !anchorsOf(path).includes(anchor));
      })
      .map((target) => `${page}: ${target}`),
  );
  expect(broken).toEqual([]);
});

test("every file that the architecture's page names is there", () => {
  const named = [...readFileSync("docs/architecture.md", "utf8").matchAll(/`((?:[a-z_]+\/)+[a-z_]+\.(?:ts|wgsl))`/g)];
  expect(named.length).toBeGreaterThan(40);
  const missing = named.map(([, path]) => path!).filter((path) => ![path, join("src", path)].some(existsSync));
  expect(missing).toEqual([]);
});

test("a decision is short, and its measurements are notes", () => {
  for (const name of readdirSync("docs/decisions")) {
    const lines = readFileSync(join("docs/decisions", name), "utf8").split("\n").length - 1;
    expect(lines, `${name}: put tables into docs/notes`).toBeLessThanOrEqual(20);
  }
});
