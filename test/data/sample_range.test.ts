import { expect, test } from "vitest";
import { narrowRange } from "../../src/data/sample_range.ts";

test("images of 16 bits that all stay in the lower part are told, with how many bits and levels they use", () => {
  expect(narrowRange([4095, 100])).toEqual({
    message: "all values of 2 images are at most 4095: 12-bit data in 16-bit files?",
    advice:
      "only the upper 8 bits are used, 16 grey levels of 256; multiply the values of all images by 16, also of those to be inspected",
  });
  expect(narrowRange([255])!.message).toContain("1 image are at most 255: 8-bit data");
  expect(narrowRange([1023])!.message).toContain("10-bit");
  expect(narrowRange([16_383])!.message).toContain("14-bit");
});

test("one bright image, or none of 16 bits, is nothing to tell", () => {
  expect(narrowRange([100, 16_384])).toBeNull();
  expect(narrowRange([])).toBeNull();
});
