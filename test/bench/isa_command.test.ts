import { chmodSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { main } from "../../bench/isa/main.ts";
import { temporaryFolder } from "../harness/temporary.ts";

const root = await temporaryFolder();
let machines = 0;

afterEach(() => void vi.restoreAllMocks());

/** Exit code and output of the command, on a machine with only the programs of `path`. */
function run(args: readonly string[], path: string, drivers: readonly string[]) {
  let said = "";
  const note = (text: unknown): boolean => {
    said += `${String(text)}\n`;
    return true;
  };
  vi.spyOn(process.stderr, "write").mockImplementation(note);
  vi.spyOn(console, "error").mockImplementation(note);
  const code = main(args, { environment: { PATH: path }, drivers });
  return { code, said };
}

/** Folders with a driver's file, and with a program in place of gcc unless that is null. */
function machine(gcc: string | null, driver = "radeon_icd.json") {
  const folder = join(root, String(machines++));
  mkdirSync(folder);
  const [path, drivers] = [join(folder, "bin"), join(folder, "icd.d")];
  for (const each of [path, drivers]) mkdirSync(each);
  writeFileSync(join(drivers, driver), "{}");
  if (gcc !== null) {
    writeFileSync(join(path, "gcc"), `#!/bin/sh\n${gcc}\n`);
    chmodSync(join(path, "gcc"), 0o755);
  }
  return [path, [drivers]] as const;
}

const leftovers = (): readonly string[] => readdirSync(tmpdir()).filter((name) => name.startsWith("bigrid-isa-"));

test("an unknown GPU is refused with those that are known", () => {
  const { code, said } = run(["--gpu", "navi99"], ...machine(null));
  expect(code).toBe(1);
  expect(said).toMatch(/navi99.*polaris10, vega10.*navi31.*gfx1201/);
});

test("the GPU must be given, and options must exist", () => {
  expect(run([], ...machine(null))).toMatchObject({ code: 1, said: expect.stringContaining("--gpu") as string });
  expect(run(["--gpu", "navi31", "--fast"], ...machine(null)).code).toBe(1);
});

test("without a compiler, headers or driver the command says what to install, without a stack", () => {
  const before = leftovers();
  const header = "null_device.c:9:10: fatal error: vulkan/vk_layer.h: No such file or directory";
  const cases = [
    [machine(null), "gcc is not installed"],
    [machine(`echo '${header}' >&2; exit 1`), "headers are not installed"],
    [machine(null, "lvp_icd.json"), "RADV, is not installed"],
  ] as const;
  for (const [places, problem] of cases) {
    const { code, said } = run(["--gpu", "navi31"], ...places);
    expect(code, problem).toBe(1);
    expect(said).toContain(problem);
    expect(said).toContain("apt-get install gcc libvulkan-dev mesa-vulkan-drivers");
    expect(said).not.toMatch(/^\s+at /m);
  }
  expect(leftovers()).toEqual(before);
});

test("a compiler that fails for another reason is quoted", () => {
  const { code, said } = run(["--gpu", "navi31"], ...machine("echo 'cannot execute cc1' >&2; exit 1"));
  expect(code).toBe(1);
  expect(said).toContain("cannot execute cc1");
});

test("a file to compare with must be a report for the same GPU", () => {
  const file = (name: string, text: string) => {
    writeFileSync(join(root, name), text);
    return join(root, name);
  };
  const against = (path: string) => run(["--gpu", "navi31", "--against", path], ...machine(null));
  expect(against(join(root, "none.json")).said).toContain("there is no");
  expect(against(file("text.json", "no")).said).toContain("is not JSON");
  expect(against(file("other.json", '{ "gpu": "navi21", "rows": [] }')).said).toContain("is for navi21");
  expect(against(file("kernels.json", '{ "kernels": [] }')).said).toContain("is none");
  expect(against(file("kernels.json", '{ "kernels": [] }')).code).toBe(1);
});
