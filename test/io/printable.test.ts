import { expect, test } from "vitest";
import { nameShown, namesShown, printable, printableLines } from "../../src/io/printable.ts";

test.each([
  ["C0", "a\x1b[31m\x07\rb", "a\\u001b[31m\\u0007\\u000db"],
  ["a line end", "a\nb", "a\\nb"],
  ["DEL and C1", "\x7f\x9b31m", "\\u007f\\u009b31m"],
  ["line and paragraph separators", "\u2028\u2029", "\\u2028\\u2029"],
  [
    "marks that turn the order round",
    "gpj\u202e.exe\u2066\u2069\u200e\u200f\u061c",
    "gpj\\u202e.exe\\u2066\\u2069\\u200e\\u200f\\u061c",
  ],
  [
    "what has no width",
    "a\u200bb\u200c\u200dc\ufeff\u00ad\u2060\u180e\u3164",
    "a\\u200bb\\u200c\\u200dc\\ufeff\\u00ad\\u2060\\u180e\\u3164",
  ],
  ["tags", "a\u{e0041}", "a\\udb40\\udc41"],
  ["halves of pairs", "a\ud800b\udc00", "a\\ud800b\\udc00"],
])("%s is written out", (_, text, shown) => {
  expect(printable(text)).toBe(shown);
  expect(printable(shown)).toBe(shown);
});

test("what can be seen stays: letters of any script, accents, emoji of several parts", () => {
  const text = "é e\u0301 日本 العربية עברית 👩‍🔬 👍🏽 ❤️ 1️⃣ 𝄞 {}\\\"'<>&";
  expect(printable(text)).toBe(text);
});

test("JSON stays the same JSON, in one line or several", () => {
  const value = { "\u202e\\\u200b": ["\u{e0041}\n\x7f", "\\", "\ud800"] };
  expect(JSON.parse(printable(JSON.stringify(value)))).toEqual(value);
  expect(JSON.parse(printableLines(JSON.stringify(value, null, 1)))).toEqual(value);
});

test("a long name is shown by its beginning and its end, a long list by some", () => {
  const long = nameShown(`${"𝄞".repeat(5000)}\u202eend`);
  expect(long.length).toBeLessThanOrEqual(90);
  expect(long).toMatch(/^𝄞.*\.\.\..*\\u202eend$/);
  expect(nameShown("part")).toBe("part");
  expect(namesShown(Array.from({ length: 1000 }, (_, i) => `c${i}`))).toMatch(/^c0, .*, c9, 990 more$/);
});
