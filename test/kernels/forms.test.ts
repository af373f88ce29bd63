import { expect, test } from "vitest";
import { formFor, type Wanted } from "../../src/kernels/products/forms.ts";
import { MATMUL_FORMS } from "../../src/kernels/products/matmul.ts";
import type { Device } from "../../src/runtime/device.ts";

/** The fixed form of a product on an adapter of either kind, and all forms that may be tried. */
function formsOf(software: boolean, m: number, n: number, further?: Wanted["further"]) {
  let tried: readonly string[] = [];
  let key = "";
  const tuner = { choose: (asked: string, forms: readonly string[]) => ((key = asked), (tried = forms), forms[0]!) };
  const device = { adapter: { software }, tuner } as unknown as Device;
  const fixed = formFor({
    operand: { device, dtype: "f32" },
    op: "product",
    shaders: [],
    extents: { batch: 1, m, n, k: 100 },
    details: ["f32", true],
    untiled: ["uniform", "registers"],
    ...(further !== undefined && { further }),
    trial: () => undefined,
    agreesWith: () => Promise.resolve(true),
  });
  return { fixed, tried, key };
}

test.each([
  ["a software adapter never uses tiles", true, 784, 1088, "uniform"],
  ["a GPU uses none for few columns", false, 784, 7, "registers"],
  ["nor for few rows", false, 7, 784, "registers"],
  ["tiles for more", false, 40, 784, "tiled 64x64x16 of 8x4"],
  ["larger ones if there are many", false, 64 * 1024, 64, "tiled 128x64x16 of 8x4"],
])("without measurement %s", (_what, software, m, n, form) => {
  expect(formsOf(software, m, n).fixed).toBe(form);
  expect(MATMUL_FORMS).toContain(form);
});

test("what may be tried fits the product, the fixed form first", () => {
  expect(formsOf(false, 40, 40).tried).toEqual(["tiled 64x64x16 of 8x4", "uniform", "registers"]);
  expect(formsOf(true, 784, 784).tried).toEqual(["uniform", "registers"]);
});

test("a further form is tried everywhere, and fixed only on GPUs that prefer it", () => {
  const forms = (software: boolean, preferred: boolean) =>
    formsOf(software, 40, 40, { name: "further", preferred }).tried;
  expect(forms(false, true)).toEqual(["further", "uniform", "registers", "tiled 64x64x16 of 8x4"]);
  expect(forms(false, false)).toEqual(["tiled 64x64x16 of 8x4", "uniform", "registers", "further"]);
  expect(forms(true, true)).toEqual(["uniform", "registers", "further"]);
});

test("extents up to the next power of two, or one and a half times that, are one class", () => {
  expect(formsOf(false, 784, 97).key).toBe("product  f32 true 1 1024 128 128");
  expect([formsOf(false, 1024, 128).key, formsOf(false, 769, 100).key]).toEqual(
    Array(2).fill(formsOf(false, 784, 97).key),
  );
  expect(formsOf(false, 768, 96).key).toBe("product  f32 true 1 768 96 128");
});
