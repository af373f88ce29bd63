import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const page = readFileSync("docs/glossary.md", "utf8");
const entries = page
  .split(/^- /m)
  .slice(1)
  .map((entry) => entry.replace(/\s+/g, " ").trim());
const terms = entries.map((entry) => /^\*\*(.+?)\*\*: /.exec(entry)?.[1]);

test("each term names a symbol, and the file that declares it", () => {
  expect(entries.length).toBeGreaterThan(50);
  for (const entry of entries) {
    const [, symbol, shown, target] = / `(\w+)` in \[([\w/.]+)\]\(\.\.\/([\w/.]+)\)$/.exec(entry) ?? [];
    expect(symbol, `the end of: ${entry}`).toBeDefined();
    expect(shown, `the link of: ${entry}`).toBe(target);
    const declaration = new RegExp(`^(export )?(async )?(function\\*?|class|const|interface|type) ${symbol}\\b`, "m");
    expect(declaration.test(readFileSync(target!, "utf8")), `${target} declares ${symbol}`).toBe(true);
  }
});

test("the terms are sorted, each once", () => {
  expect(terms).not.toContain(undefined);
  const sorted = [...new Set(terms)].sort((a, b) => a!.localeCompare(b!, "en"));
  expect(terms).toEqual(sorted);
});
