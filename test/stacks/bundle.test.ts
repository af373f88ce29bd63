import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../harness/temporary.ts";
import { bundleTests } from "./bundle.mjs";

const folder = await temporaryFolder();

test("what needs Node is left out of a bundle, and nothing else: tests of kernels and all that is made of them need none", async () => {
  const { files, refused } = await bundleTests(join(folder, "all"), []);
  const everywhere = /^test\/(autograd|data|detection|io|kernels|metrics|nn|ops|optim|runtime|tensor)\//;
  expect(Object.entries(refused).filter(([path]) => everywhere.test(path))).toEqual([]);
  expect(refused["test/node/files.test.ts"]).toBe("test/node/files.test.ts imports node:child_process");
  expect(refused["test/tools/ensure_adapter.test.ts"]).toBe(
    "test/tools/ensure_adapter.test.ts imports node:fs/promises",
  );
  const tests = (await readdir("test", { recursive: true }))
    .filter((path) => path.endsWith(".test.ts"))
    .map((path) => `test/${path}`);
  expect([...Object.keys(files), ...Object.keys(refused)].sort()).toEqual(tests.sort());
});

test("a bundle has its device from the browser", async () => {
  const one = join(folder, "one");
  const { files } = await bundleTests(one, ["runtime/device"]);
  expect(Object.keys(files)).toEqual(["test/runtime/device.test.ts"]);
  const scripts = await Promise.all((await readdir(one)).map((name) => readFile(join(one, name), "utf8")));
  expect(scripts.some((text) => text.includes("navigator.gpu"))).toBe(true);
  expect(scripts.filter((text) => /from "(webgpu|vitest|node:[^"]*)"/.test(text))).toEqual([]);
});

test("words that no test file's path contains are an error", async () => {
  await expect(bundleTests(folder, ["no such", "test file"])).rejects.toThrow(
    "no test file's path contains no such or test file",
  );
});
