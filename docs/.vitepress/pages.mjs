// The site's pages: every Markdown file of docs, and the first page. docs/README.md is the list of them, for readers of
// the repository and for the navigation alike.
import { readFileSync } from "node:fs";
import { posix } from "node:path";

/** The site's address of a Markdown file, both relative: "docs/methods/README.md" is "methods/index.md". */
export function addressOf(source) {
  if (source === "README.md") return "index.md";
  if (source === "docs/README.md") return "contents.md";
  return source.replace(/^docs\//, "").replace(/(^|\/)README\.md$/, "$1index.md");
}

/** The groups of the list of pages, in its order: their titles, and the titles and files of their pages. */
export function groupsOf(list = readFileSync(new URL("../README.md", import.meta.url), "utf8")) {
  return list
    .split(/^## /m)
    .slice(1)
    .map((section) => ({
      title: section.split("\n", 1)[0],
      pages: [...section.matchAll(/^- \[(.+?)\]\((.+?\.md)\)/gm)].map(([, title, path]) => ({
        title,
        source: posix.join("docs", path),
      })),
    }));
}

const CONTENTS = { text: "Contents", link: "/contents.html" };
/** Groups that few readers want: they have a sidebar of their own, and elsewhere one link to the list. */
const APART = ["Decisions", "Notes"];

/** The groups as VitePress's sidebars, by the beginnings of addresses. */
export function sidebars() {
  const groups = groupsOf().map(({ title, pages }) => ({
    text: title,
    items: pages.map(({ title, source }) => ({ text: title, link: linkTo(source) })),
  }));
  const apart = groups.filter(({ text }) => APART.includes(text));
  const main = groups.filter(({ text }) => !APART.includes(text));
  const rest = { items: apart.map(({ text }) => ({ text, link: `/contents.html#${text.toLowerCase()}` })) };
  return {
    ...Object.fromEntries(apart.map(({ text }) => [`/${text.toLowerCase()}/`, [CONTENTS, ...apart]])),
    "/": [CONTENTS, ...main, rest],
  };
}

/** The link to a page without the site's base: "/predict.html", "/methods/". */
export const linkTo = (source) => `/${addressOf(source).replace(/\.md$/, ".html")}`.replace(/(^|\/)index\.html$/, "$1");
