import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { defineKernel, lazyModule } from "../../src/runtime/define_kernel.ts";
import { describeUnits } from "../../src/kernels/products/subgroup.ts";
import { minified, shortNamesOf } from "../../tools/build/minify_wgsl.mjs";
import { reflect, shaderNames } from "../../tools/build/vite_wgsl.mjs";
import { device } from "../harness/device.ts";
import { emulated, KINDS } from "../harness/emulated_matrices.ts";

test("minified WGSL has lost what means nothing, and no space that parts two signs or two words", () => {
  const code = `// adds
enable f16;
const SIDE = 2u; // of a square

fn sum(x: vec2f, y: ptr<function, i32>,) -> i32 { /* in /* two */ parts */
  let z = select(1, -1, x.x < 0.0 && !(x.y >= 1.0)) - -2 + 3 / *y;  // of them
  return z;
}
`;
  expect(minified(code).split("\n")).toEqual([
    "enable f16;",
    "const SIDE=2u;",
    "fn sum(x:vec2f,y:ptr<function,i32>)->i32{let z=select(1,-1,x.x<0.0&& !(x.y>=1.0))- -2+3/ *y;return z;}",
    "",
  ]);
});

describe("short names", () => {
  const PRELUDE = "const PACK = 1u; fn lane_of(value: f32) -> f32 { return value; }";
  const shortened = (code: string): string => minified(code, shortNamesOf([code], [PRELUDE])).trimEnd();

  test("replace those of locals, parameters, functions, constants, types and workgroup variables", () => {
    expect(
      shortened(
        "alias Pair = vec2f; const LONG = 2u; struct Two { one: u32 } var<workgroup> tile: array<Pair, LONG>;" +
          " fn first(two: Two) -> Pair { var index = two.one; let next = tile[index]; return next; }",
      ).replaceAll("\n", ""),
    ).toMatch(
      /^alias (\w)=vec2f;const (\w)=2u;struct (\w)\{one:u32\}var<workgroup>(\w):array<\1,\2>;fn (\w)\((\w):\3\)->\1\{var (\w)=\6\.one;let (\w)=\4\[\7\];return \8;\}$/,
    );
  });

  test("are none of bindings, params, overrides, entry points and preludes, and differ from them", () => {
    const code = (position: string, value: string, params: string) =>
      `override WIDE:bool=false;\nstruct ${params}{count:u32}\n@group(0)@binding(0)var<storage,read_write>a:array<f32>;\n` +
      `@group(1)@binding(0)var<uniform>params:${params};\n@compute@workgroup_size(64)fn forward` +
      `(@builtin(global_invocation_id)${position}:vec3u){let ${value}=lane_of(a[${position}.x]);a[${position}.y]=${value};}`;
    expect(shortened(code("position", "value", "Params"))).toBe(code("c", "b", "b"));
  });

  test("are the same for a word in all files, and free again for words that never meet it", () => {
    const one = "fn f() { let count = 1; let other = count; }";
    const two = "fn g() { let count = 2; } fn h() { let lonely = 3; }";
    const names = shortNamesOf([one, two], []);
    expect(minified(two, names)).toContain(`let ${names.get("count")!}=2`);
    expect(names.get("lonely")).toBe(names.get("f"));
    expect(names.get("other")).not.toBe(names.get("count"));
  });

  test("spare a variable with the name of a function of WGSL that the file calls, and a member with that of a variable", () => {
    expect(shortened("fn f() { let step = step(0.5, 1.0); }")).toContain("let step=step(0.5,1.0)");
    expect(shortened("struct S { size: u32 } fn f(s: S) { let size = s.size; }")).toMatch(
      /\{size:u32\}.*let \w=\w.size/s,
    );
  });
});

const names = await shaderNames();
const filesOf = (folder: string): string[] =>
  readdirSync(`shaders/${folder}`)
    .filter((name) => name.endsWith(".wgsl"))
    .map((name) => `shaders/${folder}/${name}`.replace("//", "/"));
const kernels = [...filesOf(""), ...filesOf("bench")];
const textOf = (path: string): string => readFileSync(path, "utf8");

test.each(kernels)("%s, minified, has the same interface, and fewer bytes than without short names", (path) => {
  const code = textOf(path);
  const short = minified(code, names);
  expect(lazyModule("x", short)).toMatchObject({ name: "x", code: short, ...reflect(code) });
  expect(defineKernel("x", short).entryPoints).toEqual(reflect(code).entryPoints);
  expect(short.length).toBeLessThan(minified(code).length);
});

const COMMON = ["common", "philox", "activation", "rows"];
const enabling = (code: string): string => {
  const directive = /^enable .*\n/gm;
  return (code.match(directive) ?? []).join("") + code.replace(directive, "");
};

/** The number of errors that the compiler finds. */
async function errorsOf(
  element: string,
  codes: readonly string[],
  short: ReadonlyMap<string, string> | null,
): Promise<number> {
  const texts = [element, ...COMMON].map((name) => textOf(`shaders/prelude/${name}.wgsl`));
  const parts = [...texts, ...codes].map((text) => (short ? minified(text, short) : text));
  device.gpu.pushErrorScope("validation");
  const shader = device.gpu.createShaderModule({ code: enabling(parts.join("\n")) });
  const { messages } = await shader.getCompilationInfo();
  await device.gpu.popErrorScope();
  return messages.filter(({ type }) => type === "error").length;
}

test.each(kernels)("%s, minified, compiles as its source does, for every element", async (path) => {
  const kind = KINDS["8x8x8 of f32"]!;
  const continued = [describeUnits("f16", kind), textOf("shaders/tiled_product.wgsl")];
  const codes = path.endsWith("subgroup_product.wgsl") ? [...continued, emulated(textOf(path), 64)] : [textOf(path)];
  const elements = ["f32", "f32x4", "u32", "u32x4", ...(device.gpu.features.has("shader-f16") ? ["f16", "f16x4"] : [])];
  let compiled = 0;
  for (const element of elements) {
    const expected = await errorsOf(element, codes, null);
    expect(await errorsOf(element, codes, names), element).toBe(expected);
    if (expected === 0) compiled++;
  }
  expect(compiled).toBeGreaterThan(0);
});
