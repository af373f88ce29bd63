import { describe, expect, test } from "vitest";
import { siteLink } from "../../docs/.vitepress/links.mjs";
import { addressOf, groupsOf, linkTo } from "../../docs/.vitepress/pages.mjs";
import { PAGES } from "./pages.ts";

test("docs/README.md lists every other page of docs once, for readers and for the site's navigation", () => {
  const listed = groupsOf().flatMap(({ pages }) => pages.map(({ source }) => source));
  expect(listed.sort(), "a line in docs/README.md for each page").toEqual(
    PAGES.filter((page) => !["README.md", "docs/README.md"].includes(page)).sort(),
  );
});

test("a group has a title and pages, and a page a title", () => {
  const list = "# All\n\n## Use\n\nWords.\n\n- [A page](a.md): of words\n- [B](methods/b.md)\n\n## Empty\n";
  expect(groupsOf(list)).toEqual([
    {
      title: "Use",
      pages: [
        { title: "A page", source: "docs/a.md" },
        { title: "B", source: "docs/methods/b.md" },
      ],
    },
    { title: "Empty", pages: [] },
  ]);
});

test.each([
  ["README.md", "index.md", "/"],
  ["docs/README.md", "contents.md", "/contents.html"],
  ["docs/predict.md", "predict.md", "/predict.html"],
  ["docs/methods/README.md", "methods/index.md", "/methods/"],
  ["docs/notes/suspects.md", "notes/suspects.md", "/notes/suspects.html"],
])("%s has an address on the site", (source, address, link) => {
  expect(addressOf(source)).toBe(address);
  expect(linkTo(source)).toBe(link);
});

describe("links of the repository on the site", () => {
  test.each([
    ["to a page", "README.md", "docs/predict.md", { href: "/predict.html" }],
    [
      "to a part of a page",
      "docs/methods/grad.md",
      "../model_file.md#configuration",
      { href: "/model_file.html#configuration" },
    ],
    ["to the first page", "docs/README.md", "../README.md", { href: "/" }],
    ["within a page", "docs/predict.md", "#regions-of-interest", { href: "#regions-of-interest" }],
    ["to other sites", "docs/model_file.md", "https://example.org/x.md", { href: "https://example.org/x.md" }],
    [
      "to a shader",
      "docs/kernels.md",
      "../shaders/conv2d.wgsl",
      { href: "/playground/kernels.html#conv2d", file: null },
    ],
    ["to a file", "docs/glossary.md", "../src/core.ts", { href: "/source/src/core.ts.txt", file: "src/core.ts" }],
    ["to a folder that a page lists", "README.md", "docs/decisions/", { href: "/contents.html#decisions" }],
    ["to another folder", "docs/library.md", "../examples", null],
  ])("%s", (_, source, href, link) => {
    expect(siteLink(process.cwd(), source, href)).toEqual(link);
  });
});
