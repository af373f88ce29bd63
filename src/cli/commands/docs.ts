import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { reasonOf } from "../../node/files/reasons.ts";
import { InputError, OptionError } from "../../runtime/errors.ts";
import { printLines } from "../terminal/say.ts";

const FOLDER = new URL(/* @vite-ignore */ "../docs/", import.meta.url); // beside dist, in the package and in a clone
const LIST = "README.md";
const SECTION = /^## (.+)$/;
const ENTRY = /^- \[(.+?)\]\((.+?)\.md\)(?:: (.+))?$/;
const COLUMN = 28; // characters for names

/** A page as the list of all pages has it. */
interface Page {
  readonly section: string;
  /** Its path below docs without `.md`, such as "methods/padim"; a folder's own page has the folder's name. */
  readonly name: string;
  readonly file: string;
  readonly about: string;
}

export function addDocs(program: Command): void {
  program
    .command("docs")
    .description("print a page of the documentation that came with this program; without a name, a list of the pages")
    .argument("[page]", "such as train, predict or methods/padim")
    .action(async (word?: string) => {
      const pages = listedPages(await readPage(LIST));
      printLines(word === undefined ? tableOf(pages) : (await readPage(findPage(pages, word).file)).trimEnd());
    });
}

async function readPage(file: string): Promise<string> {
  const path = fileURLToPath(new URL(file, FOLDER));
  return readFile(path, "utf8").catch((error: unknown) => {
    throw new InputError(`cannot read ${path}: ${reasonOf(error)}; install bigrid again`, { cause: error });
  });
}

function listedPages(list: string): Page[] {
  const pages: Page[] = [];
  let section = "";
  for (const line of list.split("\n")) {
    section = SECTION.exec(line)?.[1] ?? section;
    const [, title, path, remark] = ENTRY.exec(line) ?? [];
    if (path === undefined) continue;
    const about = remark === undefined ? title! : `${title}: ${remark}`;
    pages.push({ section, name: path.replace(/\/README$/, ""), file: `${path}.md`, about });
  }
  return pages;
}

function tableOf(pages: readonly Page[]): string {
  const lines = pages.flatMap(({ section, name, about }, i) => [
    ...(section === pages[i - 1]?.section ? [] : ["", section]),
    `  ${name.padEnd(COLUMN)}  ${about}`,
  ]);
  return ["bigrid docs PAGE prints one of these, in Markdown:", ...lines].join("\n");
}

/** Finds a page by its name, by the last part of it ("padim"), or by its path ("docs/methods/padim.md#sources"). */
function findPage(pages: readonly Page[], word: string): Page {
  const name = word
    .toLowerCase()
    .replace(/^(\.\/)?docs\//, "")
    .replace(/(\/readme)?(\.md)?(#.*)?$/, "");
  const page = pages.find((one) => one.name === name) ?? pages.find((one) => one.name.endsWith(`/${name}`));
  if (page) return page;
  const near = pages.filter((one) => name !== "" && `${one.name} ${one.about}`.toLowerCase().includes(name));
  const named = near.length > 0 ? `; it is in the titles of ${near.map((one) => one.name).join(", ")}` : "";
  throw new OptionError(`docs: no page is called ${word || `""`}${named}: "bigrid docs" lists all pages`);
}
