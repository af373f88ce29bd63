import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { defineKernel } from "../../src/runtime/define_kernel.ts";
import { minified, reflect } from "../../tools/build/vite_wgsl.mjs";

test("minified WGSL has lost what means nothing, and no space that parts two signs or two words", () => {
  const code = `// adds
enable f16;

fn sum(x: vec2f, y: ptr<function, i32>) -> i32 { /* in /* two */ parts */
  let z = select(1, -1, x.x < 0.0 && !(x.y >= 1.0)) - -2 + 3 / *y;  // of them
  return z;
}
`;
  expect(minified(code).split("\n")).toEqual([
    "enable f16;",
    "fn sum(x:vec2f,y:ptr<function,i32>)->i32{",
    "let z=select(1, -1,x.x<0.0&& !(x.y>=1.0))- -2+3/ *y;",
    "return z;",
    "}",
  ]);
});

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
