import { describe, expect, test } from "vitest";
import { parseJson, RECORD } from "../../src/io/json.ts";
import { InputError } from "../../src/runtime/errors.ts";

describe("JSON within its limits", () => {
  test.each([
    "null",
    "[]",
    '{"a":[1,{"b":"c"}]}',
    '"[[[[[[[[[["',
    '["\\"[[[[[[[[[[\\\\","[[[[[[[["]',
    ' {"]]]":"}}}"} ',
  ])("%s is what JSON.parse says", (text) => {
    expect(parseJson(text, { characters: 100, depth: 3, containers: 3 })).toEqual(JSON.parse(text));
  });

  test.each(["", "{", "[1", '"', '"\\', "nothing", "[]]"])("%s is no JSON, as ever", (text) => {
    expect(() => parseJson(text, RECORD)).toThrow(SyntaxError);
  });
});

test.each([
  ['{"a":1,"b":{"a":2},"\\u0061":3}', "a"],
  ['[{"x":[{"b":1, "b" :1}]}]', "b"],
  [`{"${"k".repeat(50)}":1,"${"k".repeat(50)}":2}`, `${"k".repeat(40)}...`],
])("%s is refused: readers disagree on which of the two counts", (text, key) => {
  expect(() => parseJson(text, RECORD)).toThrow(new InputError(`its JSON has the key "${key}" twice in one object`));
});

describe("JSON beyond a limit is refused before it is parsed", () => {
  test.each([
    ["deep lists", "[".repeat(1e6), "its JSON nests lists and objects more than 8 deep"],
    ["deep objects", '{"a":'.repeat(1e6), "its JSON nests lists and objects more than 8 deep"],
    ["many lists", `[${"[],".repeat(1 << 20)}`, "its JSON has more than 1048576 lists and objects"],
    ["many objects", `[${'{"a":1},'.repeat(1 << 20)}`, "its JSON has more than 1048576 lists and objects"],
  ])("%s", (_what, text, message) => {
    expect(() => parseJson(text, RECORD)).toThrow(new InputError(message));
  });

  test("a long text", () => {
    expect(() => parseJson(`"${" ".repeat(99)}"`, { characters: 100, depth: 1 })).toThrow(
      new InputError("it has 101 characters of JSON; at most 100 are allowed"),
    );
  });
});
