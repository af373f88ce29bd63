// What a user gets: the packed package, by itself, in an empty project and in a page's. Nothing is asked of the
// network.
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { cp, mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { build } from "vite";
import { describe, expect, test } from "vitest";
import { currentPage, packagesOf, PAGE } from "../tools/docs/licences.mjs";
import { temporaryFolder } from "./harness/temporary.ts";

interface Manifest {
  readonly version: string;
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly bin: Readonly<Record<string, string>>;
}
const manifest = JSON.parse(await readFile("package.json", "utf8")) as Manifest;
const MOST_BYTES = 7.2e6; // of all files
const LARGEST = 1.7e6; // of one: the source map of the bundle of everything
const LICENCES = ["0BSD", "Apache-2.0", "BSD-3-Clause", "ISC", "LGPL-3.0-or-later", "MIT"];

const folder = await temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);
const run = promisify(execFile);
const npm = (...words: string[]) =>
  run("npm", [...words, "--offline", "--ignore-scripts", "--silent"], {
    env: { ...process.env, npm_config_offline: "true" },
  });

interface PackedFile {
  readonly path: string;
  readonly size: number;
}

/** A project with the packed package in it, and these of its dependencies. */
async function project(name: string, dependencies: readonly string[]): Promise<string> {
  const modules = at(name, "node_modules");
  await mkdir(modules, { recursive: true });
  await writeFile(at(name, "package.json"), JSON.stringify({ type: "module" }));
  await run("tar", ["xzf", at(`bigrid-${manifest.version}.tgz`), "-C", modules]);
  await run("mv", [join(modules, "package"), join(modules, "bigrid")]);
  for (const dependency of dependencies) {
    await mkdir(join(modules, dependency, ".."), { recursive: true });
    await symlink(resolve("node_modules", dependency), join(modules, dependency));
  }
  return at(name);
}

async function outputOf(cwd: string, ...words: string[]): Promise<string> {
  const { stdout } = await run(process.execPath, words, { cwd });
  return stdout;
}

await npm("run", "build:types"); // the rest is built before tests run
const packed = JSON.parse((await npm("pack", "--json", "--pack-destination", folder)).stdout) as Readonly<
  Record<string, { readonly files: readonly PackedFile[] }>
>;
// of a list, or of an object by name, as the version of npm has it
const [{ files }] = Object.values(packed) as [{ readonly files: readonly PackedFile[] }];

describe("the package", () => {
  test("holds what is used, and no tests, sources or large files", () => {
    const paths = files.map(({ path }) => path);
    expect(
      paths.filter(
        (path) => !/^(dist|shaders)\/|^docs\/.*\.md$|^(README|CHANGELOG)\.md$|^LICENSE$|^package\.json$/.test(path),
      ),
    ).toEqual([]);
    expect(paths.filter((path) => /test|bench|scratch|\.ts$/.test(path) && !path.endsWith(".d.ts"))).toEqual([]);
    expect(files.filter(({ size }) => size > LARGEST)).toEqual([]);
    expect(files.reduce((sum, { size }) => sum + size, 0)).toBeLessThan(MOST_BYTES);
    const named = [
      ...Object.values(manifest.exports).flatMap((targets) => Object.values(targets)),
      ...Object.values(manifest.bin),
    ].map((path) => path.replace("./", ""));
    expect(named.filter((path) => !paths.includes(path))).toEqual([]);
  });

  test("has the pages that the command line names", () => {
    const sources = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
    const texts = sources.map((name) => readFileSync(join("src", name), "utf8"));
    const named = texts.flatMap((text) => [
      ...(text.match(/\bdocs\/\w+\.md\b/g) ?? []),
      ...[...text.matchAll(/"bigrid docs (\w+)"/g)].map(([, page]) => `docs/${page}.md`),
    ]);
    expect(named.length).toBeGreaterThan(3);
    expect(named.filter((page) => !files.some(({ path }) => path === page))).toEqual([]);
  });

  test("has no script that runs when it is installed", () => {
    expect(
      Object.keys(manifest.scripts).filter((name) =>
        /^(pre|post)?(install|prepare|uninstall)$|^prepublish$/.test(name),
      ),
    ).toEqual([]);
  });
});

describe("what comes with it", () => {
  test("is on the page of licences, as the lock file has it", async () => {
    expect(await readFile(PAGE, "utf8"), "run node tools/docs/licences.mjs").toBe(currentPage());
  });

  test("is under licences that are known to go with ours", async () => {
    const { installed, builtIn } = packagesOf(JSON.parse(await readFile("package-lock.json", "utf8")) as object);
    for (const name of Object.keys(manifest.dependencies)) expect(installed.map((one) => one.name)).toContain(name);
    const unknown = [...installed, ...builtIn].filter(
      ({ licence }) =>
        !licence
          .replace(/[()]/g, "")
          .split(" AND ")
          .every((one) => LICENCES.includes(one)),
    );
    expect(unknown).toEqual([]);
    expect(builtIn).toHaveLength(2);
  });

  test("is justified where we chose it", async () => {
    const decisions = await readFile("docs/decisions/004-dependencies.md", "utf8");
    for (const name of Object.keys(manifest.dependencies)) expect(decisions).toContain(`| ${name} |`);
  });
});

describe("in an empty project", () => {
  test("the core runs with nothing else installed", async () => {
    const cwd = await project("bare", []);
    const output = await outputOf(
      cwd,
      "--input-type=module",
      "-e",
      'for (const name of ["bigrid", "bigrid/core"]) console.log(Object.keys(await import(name)).includes("gridSample"))',
    );
    expect(output).toBe("true\ntrue\n");
  });

  test("Node's entry computes, and the command line says its version and the adapter", async () => {
    const cwd = await project("node", Object.keys(manifest.dependencies));
    const script = `
      import { add, fromArray, openDevice, toArray } from "bigrid/node";
      const device = await openDevice();
      console.log(...await toArray(add(fromArray(device, [2], Float32Array.of(1, 2)), fromArray(device, [2], Float32Array.of(3, 4)))));
      process.exit();
    `;
    expect(await outputOf(cwd, "--input-type=module", "-e", script)).toBe("4 6\n");
    expect((await stat(manifest.bin["bigrid"]!)).mode & 0o111, "npx executes the build's own file").toBe(0o111);
    const bin = join(cwd, "node_modules", "bigrid", manifest.bin["bigrid"]!);
    expect(await outputOf(cwd, bin, "--version")).toBe(`${manifest.version}\n`);
    expect(JSON.parse(await outputOf(cwd, bin, "info", "--json"))).toHaveProperty("adapter.description");
  });

  test.each(["es2023,dom", "es2023,dom,esnext.disposable"])(
    "TypeScript finds its types, with the libs %s",
    async (lib) => {
      const cwd = await project(`typed-${lib.length}`, Object.keys(manifest.dependencies));
      const compile = async (name: string, ...lines: string[]): Promise<string> => {
        await writeFile(join(cwd, name), lines.join("\n"));
        const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "--lib", lib];
        return outputOf(cwd, resolve("node_modules/typescript/bin/tsc"), ...options, name);
      };
      const use = await compile(
        "use.ts",
        'import { defineKernel, gridSample, launch, record, Weights, type Device, type Kernel, type Tensor } from "bigrid";',
        'import { openDevice } from "bigrid/node";',
        "export const kernelOf = (device: Device): Kernel =>",
        '  device.kernel({ module: defineKernel("k", ""), entryPoint: "forward", element: "f32" });',
        "export async function use(x: Tensor, g: Tensor): Promise<Tensor> {",
        "  using device = await openDevice();",
        "  using _weights = Weights.drawn(device);",
        "  using scope = device.scope();",
        '  launch({ module: defineKernel("k", ""), tensors: { x }, size: { invocations: 1 } });',
        '  return scope.keep(device.tidy(() => record("sample", gridSample(x, g), [[x, (gradOutput) => gradOutput]])));',
        "}",
      );
      expect(use).toBe("");
      await expect(compile("wrong.ts", 'import { gridSample } from "bigrid";', "gridSample(1);")).rejects.toMatchObject(
        {
          stdout: expect.stringContaining("wrong.ts(2,") as string,
        },
      );
    },
  );
});

test("in a Vite app it is built into a page that needs nothing else", async () => {
  const cwd = await project("page", []);
  await cp("examples/vite_app", cwd, { recursive: true });
  const result = await build({
    root: cwd,
    configFile: false,
    logLevel: "error",
    build: { write: false, target: "es2022" },
  });
  const outputs = (Array.isArray(result) ? result : [result]).flatMap((one) => ("output" in one ? one.output : []));
  const scripts = outputs.filter((output) => output.type === "chunk");
  expect(scripts.length).toBeGreaterThan(0);
  expect(
    scripts
      .flatMap(({ imports, dynamicImports }) => [...imports, ...dynamicImports])
      .filter((name) => !outputs.some(({ fileName }) => fileName === name)),
  ).toEqual([]);
  expect(scripts.some(({ code }) => code.includes("grid_sample"))).toBe(true);
});
