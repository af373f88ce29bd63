import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { describeShader } from "../../tools/build/describe_shader.mjs";

const PRELUDES = ["common", "philox", "activation", "rows"].map((name) =>
  readFileSync(`shaders/prelude/${name}.wgsl`, "utf8"),
);
const overridesOf = (shader: string): readonly string[] =>
  describeShader(readFileSync(`shaders/${shader}.wgsl`, "utf8"), PRELUDES).overrides.map(({ name }) => name);

test("a kernel's overrides are its own and those that it uses of the preludes, with what they mean", () => {
  expect(overridesOf("grid_sample")).toEqual(["ALIGN_CORNERS", "NEAREST", "PADDING", "WORKGROUP_SIZE"]);
  expect(overridesOf("softmax")).toEqual(["WORKGROUP_SIZE", "LANES"]); // by row_lane
  expect(overridesOf("activation")).toEqual(["WORKGROUP_SIZE", "ACTIVATION", "LEAK"]); // by activate
  const [size] = describeShader(readFileSync("shaders/copy.wgsl", "utf8"), PRELUDES).overrides;
  expect(size).toMatchObject({ name: "WORKGROUP_SIZE", type: "u32", value: "64" });
  expect(size!.meaning).toMatch(/^Invocations per workgroup\./);
});

test("names in comments are not used, and without preludes a kernel has its own overrides alone", () => {
  const code = "// WORKGROUP_SIZE\noverride FLAG: bool = false; // LANES\nfn f() {}\n";
  expect(describeShader(code, PRELUDES).overrides.map(({ name }) => name)).toEqual(["FLAG"]);
  expect(describeShader(code).overrides).toHaveLength(1);
});

test("no prelude is left out that declares overrides", () => {
  const declaring = readdirSync("shaders/prelude").filter((name) =>
    /^override /m.test(readFileSync(`shaders/prelude/${name}`, "utf8")),
  );
  expect(declaring).toEqual(["activation.wgsl", "common.wgsl", "rows.wgsl"]);
});
