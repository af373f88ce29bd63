// The commands of the pages against the command line's help, package.json and the repository's files.
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { RUN_OPTIONS } from "../../src/cli/train/run_options.ts";
import { CONTINUATION_OPTIONS } from "../../src/detection/continuation.ts";
import { TRAINING_OPTIONS } from "../../src/detection/training_options.ts";
import { loadMethods } from "../../src/methods/registry.ts";
import { PROGRAM } from "../cli/program.ts";
import { blocksOf, PAGES } from "./pages.ts";

const NO_LANGUAGE = ["", "console"];
const END = /\s#|[|;&<>()`]|'$/; // of a command: a comment, or the shell's own signs

interface Said {
  /** "docs/predict.md: bigrid predict ...", for errors. */
  readonly where: string;
  readonly words: readonly string[];
}

/** The command lines of a page that begin with a program: in blocks, and where a sentence has one. */
function commandsOf(page: string, program: string): Said[] {
  const lines = blocksOf(page)
    .filter(({ language }) => NO_LANGUAGE.includes(language))
    .flatMap(({ code, language }) => {
      const all = code.replaceAll("\\\n", " ").split("\n");
      return language === "console" ? all.filter((line, i) => line.startsWith("$ ") && !isWrong(all[i + 1])) : all;
    });
  const prose = readFileSync(page, "utf8").replace(/^( *)```[\s\S]*?^\1```/gm, "");
  const spans = [...prose.matchAll(/`([^`]+)`/g)].map(([, code]) => code!.replace(/\s+/g, " "));
  const begin = new RegExp(`(?:^|[|;&('"] ?|\\$ |npx |parallel )${program} (.*)$`);
  return [...lines, ...spans].flatMap((line) => {
    const [, rest] = begin.exec(line) ?? [];
    if (rest === undefined) return [];
    const text = rest.split(END, 1)[0]!;
    return [{ where: `${page}: ${program} ${text.trim()}`, words: text.match(/"[^"]*"|\S+/g) ?? [] }];
  });
}

/** True of an answer to a command that a page gets wrong on purpose. */
const isWrong = (answer: string | undefined): boolean => /^error: unknown (command|option)/.test(answer ?? "");

const help = new Map<string, Promise<string>>();
function helpOf(...words: string[]): Promise<string> {
  const key = words.join(" ");
  if (!help.has(key))
    help.set(
      key,
      promisify(execFile)(process.execPath, [PROGRAM, ...words, "--help"]).then(({ stdout }) => stdout),
    );
  return help.get(key)!;
}

const commands = async (): Promise<string[]> => {
  const [, list] = /\nCommands:\n([\s\S]*?)\n\n/.exec(await helpOf())!;
  return [...list!.matchAll(/^ {2}(\w+)/gm)].map(([, name]) => name!).filter((name) => name !== "help");
};

test("bigrid has the commands and flags that pages name", async () => {
  const known = await commands();
  const said = PAGES.flatMap((page) => commandsOf(page, "bigrid"));
  expect(said.length).toBeGreaterThan(80);
  const wrong: string[] = [];
  for (const { where, words } of said) {
    const command = words.find((word) => !word.startsWith("-") && word !== "...");
    if (command !== undefined && !known.includes(command)) wrong.push(`${where}: no command ${command}`);
    else {
      const method = words[words.indexOf("--method") + 1];
      const texts = [await helpOf(), ...(command === undefined ? [] : [await helpOf(command)])];
      if (command === "train")
        texts.push(
          await helpOf("train", "--method", words.includes("--method") && /^[a-z]+$/.test(method!) ? method! : "grad"),
        );
      for (const [flag] of words.join(" ").matchAll(/(?<=^| )--?[a-z][a-z-]*/g))
        if (flag !== "--help" && !texts.some((text) => new RegExp(`(^|[ ,])${flag}\\b(?!-)`, "m").test(text)))
          wrong.push(`${where}: no flag ${flag}`);
    }
  }
  expect(wrong).toEqual([]);
});

test("blocks of other languages are checked by other tests, and have no commands", () => {
  const others = PAGES.flatMap((page) => blocksOf(page)).filter(({ language }) => !NO_LANGUAGE.includes(language));
  // ts and js: programs.test.ts; wgsl: kernel_tutorial.test.ts; python: model_file.test.ts and test/onnx; text: formulas
  const known = ["js", "python", "text", "ts", "wgsl"];
  expect([...new Set(others.map(({ language }) => language))].sort()).toEqual(known);
  const commands = others.filter(({ code }) => /^(\$ )?(npx )?(bigrid|npm|node) /m.test(code));
  expect(commands.map(({ page, line }) => `${page}:${line}: a command in a block of another language`)).toEqual([]);
});

test("options that pages set exist", async () => {
  const methods = await loadMethods();
  const names = new Set(Object.keys({ ...TRAINING_OPTIONS, ...CONTINUATION_OPTIONS, ...RUN_OPTIONS }));
  for (const { name, options } of methods)
    for (const option of Object.keys(options)) names.add(option).add(`${name}.${option}`);
  const set = PAGES.flatMap((page) =>
    [...readFileSync(page, "utf8").matchAll(/--set[= ]([\w.]+)=/g)].map(([, option]) => `${page}: ${option}`),
  );
  expect(set.length).toBeGreaterThan(5);
  const shown = (text: string): string => text.split(": ")[1]!;
  expect(set.filter((text) => shown(text) !== "name" && !names.has(shown(text)))).toEqual([]);
});

test("the page of commands has each of them once, in help's order", async () => {
  const rows = [...readFileSync("docs/commands.md", "utf8").matchAll(/^\| `bigrid (\w+)[^`]*` \|/gm)];
  expect(rows.map(([, name]) => name)).toEqual(await commands());
});

test("npm has the scripts that pages run, and node the files", () => {
  const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as {
    readonly scripts: Readonly<Record<string, string>>;
  };
  const ran = PAGES.flatMap((page) => commandsOf(page, "npm run")).map(({ where, words }) => ({
    where,
    name: words[0]!,
  }));
  expect(ran.length).toBeGreaterThan(20);
  expect(ran.filter(({ name }) => !Object.hasOwn(scripts, name)).map(({ where }) => where)).toEqual([]);
  const files = PAGES.flatMap((page) => commandsOf(page, "node")).map(({ where, words }) => ({
    where,
    path: words[0]!,
  }));
  expect(files.length).toBeGreaterThan(5);
  expect(files.filter(({ path }) => /[/]/.test(path) && !existsSync(path)).map(({ where }) => where)).toEqual([]);
});
