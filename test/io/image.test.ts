import { expect, test } from "vitest";
import { maskFrom, requireUsable } from "../../src/io/image.ts";

const picture = (width: number, height: number, reds: readonly number[]) => ({
  width,
  height,
  data: Uint8Array.from(reds.flatMap((red) => [red, 0, 0, 255])),
});

test("a mask is resized to the nearest pixel and binarised at not zero", () => {
  expect(maskFrom(picture(2, 2, [0, 1, 255, 0]), 4, 4)).toEqual(
    Uint8Array.of(0, 0, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 0, 0),
  );
  expect(maskFrom(picture(4, 1, [0, 7, 0, 0]), 2, 1)).toEqual(Uint8Array.of(1, 0));
  expect(maskFrom({ width: 1, height: 1, data: Uint8Array.of(0, 0, 3, 255) }, 1, 1)).toEqual(Uint8Array.of(1));
});

test("pictures without texture are refused by name and size", () => {
  expect(() => requireUsable(picture(1, 1, [0]), "dot.png")).toThrow("dot.png is 1x1 pixels; at least 8x8 are needed");
  expect(() => requireUsable({ width: 8, height: 8 }, "ok.png")).not.toThrow();
});
