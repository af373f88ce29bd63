// The TypeScript of the pages: every block compiles, and every program runs, one after another in one folder, against
// the built package.
import { execFile } from "node:child_process";
import { copyFile, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import ts from "typescript";
import { beforeAll, describe, expect, test } from "vitest";
import { writeSyntheticSet } from "../../src/node/synthetic.ts";
import { temporaryFolder } from "../harness/temporary.ts";
import { blocksOf, PAGES, type Block } from "./pages.ts";

const blocks = PAGES.flatMap((page) => blocksOf(page)).filter(({ language }) => language === "ts" || language === "js");
/** Programs for Node; the others are parts of the repository's files, or for a page (test/playground runs these). */
const programs = blocks.filter(({ code }) => code.includes('"bigrid/node"'));
const nameOf = ({ page, line, title }: Block): string => `${page}:${line} (${title})`;
const folder = await temporaryFolder();

describe("compiles", () => {
  const wrong: Block = {
    ...blocks[0]!,
    page: "wrong.md",
    code: 'import { gridSample } from "bigrid";\ngridSample(1);\n',
  };
  const typed = [...blocks.filter(({ language }) => language === "ts"), wrong];
  /** The files of the blocks, for their imports: those that they or the words before them name, or of their own. */
  const places = typed.map(({ code, before }, i) => {
    const named = /^\/\/ (\S+\.ts)\n/.exec(code)?.[1] ?? /`((?:src|test)\/[\w/]+\.ts)`/.exec(before)?.[1];
    return resolve(/from "bigrid/.test(code) || named === undefined ? `test/docs/block_${i}.ts` : named);
  });
  let program: ts.Program;

  beforeAll(() => {
    const config = ts.readConfigFile("tsconfig.json", (path) => readFileSync(path, "utf8")).config as object;
    const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ".");
    const { exports } = JSON.parse(readFileSync("package.json", "utf8")) as {
      readonly exports: Readonly<Record<string, { readonly types: string }>>;
    };
    const paths = Object.fromEntries(
      Object.entries(exports).map(([name, { types }]) => [
        name.replace(".", "bigrid"),
        [resolve(types.replace("./dist/types/", "src/").replace(/\.d\.ts$/, ".ts"))],
      ]),
    );
    // readers' projects have "strict", and may have no more
    const loose = { noUncheckedIndexedAccess: false, noUnusedLocals: false, noUnusedParameters: false };
    const own = { ...options, ...loose, paths, moduleDetection: ts.ModuleDetectionKind.Force };
    const codeAt = (path: string): string | undefined => typed[places.indexOf(resolve(path))]?.code;
    const host = ts.createCompilerHost(own);
    const [fileExists, getSourceFile] = [host.fileExists.bind(host), host.getSourceFile.bind(host)];
    host.fileExists = (path) => codeAt(path) !== undefined || fileExists(path);
    host.getSourceFile = (path, version, ...rest) => {
      const code = codeAt(path);
      return code === undefined ? getSourceFile(path, version, ...rest) : ts.createSourceFile(path, code, version);
    };
    program = ts.createProgram([...places, resolve("src/runtime/wgsl_files.d.ts")], own, host);
  });

  function errorsOf(block: Block): string[] {
    const source = program.getSourceFile(places[typed.indexOf(block)]!)!;
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
      ({ messageText, start }) => {
        const line = block.line + source.getLineAndCharacterOfPosition(start!).line + 1;
        return `${block.page}:${line}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`;
      },
    );
  }

  test.each(typed.slice(0, -1).map((block) => [nameOf(block), block] as const))("%s", (_, block) => {
    expect(errorsOf(block)).toEqual([]);
  });

  test("an error would be found", () => {
    expect(new Set(places).size).toBe(typed.length);
    expect(errorsOf(wrong)).toEqual([expect.stringMatching(/^wrong\.md:\d+: Expected 2-3 arguments, but got 1\.$/)]);
  });
});

describe("runs", () => {
  beforeAll(async () => {
    await writeSyntheticSet(join(folder, "set"), { size: 64, train: 10, good: 2, defective: 2, seed: 4 });
    await symlink(join(folder, "set", "weave"), join(folder, "bolts"));
    await copyFile(join(folder, "set", "weave", "test", "scratch", "000.png"), join(folder, "new.png"));
    await mkdir(join(folder, "node_modules"));
    await symlink(resolve("."), join(folder, "node_modules", "bigrid"));
    await writeFile(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  });

  const options: ts.CompilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext };
  /** Output with figures, which no comment can state. */
  const PRINTED: Readonly<Record<string, RegExp>> = {
    "README.md": /^(defective|good) 50176 pixels of 224 x 224$/m,
    "docs/kernels.md": /^Float32Array\(25\) \[\n(?:.*\n)*\s*(?:.*, )?12(?:\.0+\d)?,? /m,
  };

  test.each(programs.map((block) => [nameOf(block), block] as const))(
    "%s, and prints what its comments say",
    async (_, { code, page, language }) => {
      const file = join(folder, "program.mjs");
      const script = language === "js" ? code : ts.transpile(code, options);
      await writeFile(file, `${script}\nprocess.exit(0);\n`);
      const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd: folder });
      for (const [, line] of code.matchAll(/\/\/ prints (.*)$/gm)) expect(stdout.split("\n")).toContain(line);
      expect(stdout).toMatch(PRINTED[page] ?? /\S/);
    },
  );
});

test("the library's page shows the example of a kernel as it is, in fewer than 40 lines", async () => {
  const example = await readFile("examples/own_kernel.mjs", "utf8");
  expect(programs.filter(({ page, code }) => page === "docs/library.md" && code === example)).toHaveLength(1);
  expect(example.split("\n").length - 1).toBeLessThan(40);
});

test("the library's page names every way into the package", async () => {
  const page = await readFile("docs/library.md", "utf8");
  const { exports } = JSON.parse(await readFile("package.json", "utf8")) as { exports: Record<string, unknown> };
  for (const name of Object.keys(exports)) expect(page).toContain(`| \`${name.replace(".", "bigrid")}\` |`);
});
