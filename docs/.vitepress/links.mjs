// Links of the repository's Markdown, as they are on the site. Pages lead to pages, shaders to the kernel explorer, other
// files to copies of them; folders have no page, and their names stay without a link.
import { statSync } from "node:fs";
import { posix, relative, sep } from "node:path";
import { groupsOf, linkTo } from "./pages.mjs";

const LONG = 60; // characters of a table's cell
const OPTION = /^--?\w.{0,24}$/; // of a command, with a short value
/** Lists that stand for folders. */
const LISTS = { "docs/decisions": "/contents.html#decisions", "docs/notes": "/contents.html#notes" };

/** The name that a heading has in links, as on code hosts. */
export const anchorOf = (heading) =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");

/**
 * The site's link for one in a Markdown file.
 * @param root the repository's folder
 * @param source the file, relative to root
 * @returns `{ href }` for a page, `{ href, file }` for something that is no page of VitePress's: `file` is a path of the
 *   repository where a copy is needed, else null; null for no link
 */
export function siteLink(root, source, href) {
  if (/^([a-z]+:|#|\/\/)/.test(href)) return { href };
  const [path, hash] = href.split("#");
  const target = posix.join(posix.dirname(source), path).replace(/\/$/, "");
  const end = hash === undefined ? "" : `#${hash}`;
  if (Object.hasOwn(LISTS, target)) return { href: LISTS[target] };
  if (target === "README.md" || /^docs\/.*\.md$/.test(target)) return { href: linkTo(target) + end };
  if (!statSync(posix.join(root, target)).isFile()) return null;
  const [, shader] = /^shaders\/(\w+)\.wgsl$/.exec(target) ?? [];
  if (shader !== undefined) return { href: `/playground/kernels.html#${shader}`, file: null };
  return { href: `/source/${target}.txt`, file: target };
}

/**
 * The rules for markdown-it: links as they are on the site, where a page is called by its title rather than by its file.
 * Options of commands are marked, so that they are not broken after their dashes, and long cells of tables, so that
 * they are not narrow.
 * @param onFile is told of each file that needs a copy
 */
export function repositoryLinks(md, { root, base, onFile }) {
  const titles = new Map(groupsOf().flatMap(({ pages }) => pages.map(({ title, source }) => [linkTo(source), title])));
  md.core.ruler.push("repository_links", ({ tokens, env }) => {
    const source = relative(root, env.realPath ?? env.path).replaceAll(sep, "/");
    for (const [i, token] of tokens.entries()) {
      if (token.type === "td_open" && tokens[i + 1].content.length > LONG) token.attrJoin("class", "long");
      if (token.type !== "inline") continue;
      let dropped = false;
      token.children = token.children.filter((child, i, children) => {
        if (child.type === "code_inline" && OPTION.test(child.content)) child.attrJoin("class", "option");
        if (child.type !== "link_open") return child.type !== "link_close" || !dropped;
        const link = siteLink(root, source, child.attrGet("href"));
        dropped = link === null;
        if (dropped) return false;
        child.attrSet("href", link.href);
        const text = children[i + 1];
        if (/^[\w/.]+\.md$/.test(text.content)) text.content = titles.get(link.href.split("#", 1)[0]) ?? text.content;
        if (link.file !== undefined) {
          child.attrSet("href", base + link.href.slice(1));
          child.attrSet("target", "_self"); // VitePress's router leaves it alone
          if (link.file !== null) onFile(link.file);
        }
        return true;
      });
    }
  });
}
