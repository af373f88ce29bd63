import { spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { marker } from "../../src/cli/isa/listing.ts";
import type { Manifest } from "../../src/cli/isa/manifest.ts";
import { temporaryFolder } from "../harness/temporary.ts";

const folder = await temporaryFolder();

/** Runs a script on this machine's own adapter, as `bigrid isa` runs it on the driver without hardware. */
function compile(script: string, ...args: string[]) {
  const path = join(folder, "manifest.json");
  const { signal, status, stderr } = spawnSync(process.execPath, ["dist/isa.js", path, script, ...args], {
    encoding: "utf8",
    stdio: ["ignore", "ignore", "pipe"],
  });
  const read = async () => JSON.parse(await readFile(path, "utf8")) as Manifest;
  return { signal, status, stderr, read };
}

test("every kernel of a script is compiled behind its marker, a kernel of its own among them", async () => {
  const { signal, stderr, read } = compile("examples/own_kernel.mjs");
  expect(signal).toBe("SIGKILL");
  const { adapter, pipelines } = await read();
  expect(adapter).not.toBe("no device was opened");
  const own = pipelines.filter(({ shader }) => shader === "softsign");
  expect(own.map(({ entryPoint }) => entryPoint)).toEqual(["forward", "backward"]);
  expect(own[0]!.code).toContain("x[i] / (1 + abs(x[i]))");
  for (const i of pipelines.keys()) expect(stderr).toContain(marker(i));
});

test("what a kernel does for each byte is known where it counts its work", async () => {
  const script = join(folder, "product.mjs");
  const library = JSON.stringify(resolve("dist/node.js"));
  await writeFile(
    script,
    `import { matmul, openDevice, zeros } from ${library};
    const device = await openDevice();
    matmul(zeros(device, [64, 32]), zeros(device, [32, 64]));`,
  );
  const { pipelines } = await compile(script).read();
  const product = pipelines.find(({ shader }) => shader === "matmul")!;
  const [use] = product.uses;
  expect(product.uses).toHaveLength(1);
  expect(use).toMatchObject({ row: script, isForced: false });
  const [operations, bytes] = [2 * 64 * 32 * 64, 4 * (64 * 32 + 32 * 64 + 64 * 64)];
  expect(use!.intensity).toBeCloseTo(operations / bytes, 2);
});

test("a script that fails says why, and has no manifest", async () => {
  const script = join(folder, "fails.mjs");
  await writeFile(script, "throw new Error(`stopped at ${process.argv[2]}`);");
  const { status, stderr } = compile(resolve(script), "here");
  expect(status).toBe(1);
  expect(stderr).toContain("stopped at here");
});

test("a script that is not there, and a GPU that is not known, are refused in a line", () => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, ["dist/bigrid.js", "isa", ...args], { encoding: "utf8" });
  expect(run("none.mjs")).toMatchObject({ status: 1, stderr: "bigrid: there is no script none.mjs\n" });
  const unknown = run("examples/own_kernel.mjs", "--gpu", "navi99");
  expect(unknown.stderr).toMatch(/navi99.*navi31/);
  expect(unknown.status).toBe(2);
});
