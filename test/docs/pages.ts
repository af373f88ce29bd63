import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Every page: README.md and all of docs. */
export const PAGES: readonly string[] = [
  "README.md",
  ...readdirSync("docs", { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md") && !/^(api|\.vitepress)\b/.test(name))
    .map((name) => join("docs", name))
    .sort(),
];

/** A fenced block of a page. */
export interface Block {
  readonly page: string;
  /** Line of its opening fence, from 1. */
  readonly line: number;
  /** "ts", "console", ...; empty where the fence names none. */
  readonly language: string;
  /** Its text without the indentation that it has in a list, with a line end behind each line. */
  readonly code: string;
  /** The last heading before it. */
  readonly title: string;
  /** The text between the block before, or the heading, and this one. */
  readonly before: string;
}

/** The fenced blocks of a page, in order. */
export function blocksOf(page: string): Block[] {
  const blocks: Block[] = [];
  let open: { indent: number; line: number; language: string; lines: string[] } | null = null;
  let [title, before] = ["", ""];
  for (const [i, text] of readFileSync(page, "utf8").split("\n").entries()) {
    const fence = /^( *)```(\w*)\s*$/.exec(text);
    if (open === null && fence) open = { indent: fence[1]!.length, line: i + 1, language: fence[2]!, lines: [] };
    else if (open !== null && fence && fence[2] === "") {
      const code = open.lines.map((line) => `${line}\n`).join("");
      blocks.push({ page, line: open.line, language: open.language, code, title, before });
      [open, before] = [null, ""];
    } else if (open !== null) open.lines.push(text.slice(open.indent));
    else if (/^#+ /.test(text)) [title, before] = [text.replace(/^#+ /, ""), ""];
    else before += `${text}\n`;
  }
  if (open !== null) throw new Error(`${page}:${open.line}: the block has no end`);
  return blocks;
}
