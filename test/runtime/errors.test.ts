import { expect, test } from "vitest";
import * as errors from "../../src/runtime/errors.ts";

const { shapeError: _function, ...classes } = errors;
const entries = Object.entries(classes);

test("each kind of error has a name and a code of its own", () => {
  expect(entries.length).toBeGreaterThan(10);
  const made = entries.map(([name, kind]) => [name, new kind("words", { cause: 1 })] as const);
  for (const [name, error] of made) {
    expect(error).toBeInstanceOf(errors.BigridError);
    expect([error.name, error.message, error.cause]).toEqual([name, "words", 1]);
  }
  const codes = made.map(([, { code }]) => code);
  expect(new Set(codes).size).toBe(codes.length);
});
