import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { defineKernel } from "../../src/runtime/define_kernel.ts";
import { reflect } from "../../tools/build/vite_wgsl.mjs";

const shaders = ["shaders", "shaders/bench"].flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".wgsl"))
    .map((name) => `${folder}/${name}`),
);

test.each(shaders)("%s is understood by defineKernel as by wgsl_reflect", (path) => {
  const code = readFileSync(path, "utf8");
  const [own, { entryPoints, params, overrides }] = [defineKernel("x", code), reflect(code)];
  expect(own).toMatchObject({ name: "x", code, params, overrides });
  expect(own.entryPoints).toEqual(entryPoints);
});
