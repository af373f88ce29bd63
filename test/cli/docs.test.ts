import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { PAGES } from "../docs/pages.ts";
import { bigrid } from "./program.ts";

const NO_PAGES_OF_THEIR_OWN = ["README.md", "docs/README.md"];
const nameOf = (page: string): string => page.replace(/^docs\//, "").replace(/(\/README)?\.md$/, "");

describe("docs", () => {
  test("lists every page, by the name that prints it", async () => {
    const { code, stdout } = await bigrid(["docs"]);
    expect(code).toBe(0);
    const listed = [...stdout.matchAll(/^ {2}(\S+) {2,}\S/gm)].map(([, name]) => name!);
    const names = PAGES.filter((page) => !NO_PAGES_OF_THEIR_OWN.includes(page)).map(nameOf);
    expect(listed.toSorted()).toEqual(names.toSorted());
    expect(stdout).toContain("\nUse\n  getting_started  ");
  });

  test.each([
    ["train", "docs/train.md", "a name"],
    ["padim", "docs/methods/padim.md", "the last part of one"],
    ["methods", "docs/methods/README.md", "a folder"],
    ["docs/serve.md", "docs/serve.md", "a path"],
    ["docs/train.md#the-threshold", "docs/train.md", "a link"],
  ])("prints the page of %s (%s: %s)", async (word, page) => {
    const { code, stdout, stderr } = await bigrid(["docs", word]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toBe(readFileSync(page, "utf8"));
  });

  test.each([
    ["nonsense", 'docs: no page is called nonsense: "bigrid docs" lists all pages'],
    ["evaluation", "docs: no page is called evaluation; it is in the titles of train: "],
    ["../package.json", 'docs: no page is called ../package.json: "bigrid docs" lists all pages'],
    ["", `docs: no page is called "": "bigrid docs" lists all pages`],
  ])("refuses %s in one line that helps", async (word, text) => {
    const { code, stdout, stderr } = await bigrid(["docs", word]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^bigrid: [^\n]+\n$/);
    expect(stderr).toContain(text);
  });
});
