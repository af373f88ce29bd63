// Says where a bundle's bytes are, gzipped: node tools/build/bundle_sizes.mjs dist/core.min.js
// A module's share is what the file shrinks by without the module's code, which the source map attributes to it.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Numbers of a segment of a source map: base 64 digits of five bits, the lowest first, then the sign. */
function numbersOf(segment) {
  const numbers = [];
  let [value, shift] = [0, 0];
  for (const digit of [...segment].map((letter) => DIGITS.indexOf(letter))) {
    value += (digit & 31) * 2 ** shift;
    shift += 5;
    if (digit & 32) continue;
    numbers.push(value & 1 ? -(value >> 1) : value >> 1);
    [value, shift] = [0, 0];
  }
  return numbers;
}

/** Pieces of the code, in order, each with the source that it comes from. */
function piecesOf(code, { mappings, sources }) {
  const marks = [{ at: 0, source: null }];
  let [start, source] = [0, 0];
  const lines = code.split("\n");
  for (const [i, segments] of mappings.split(";").entries()) {
    let column = 0;
    for (const numbers of segments.split(",").filter(Boolean).map(numbersOf)) {
      column += numbers[0];
      source += numbers[1] ?? 0;
      marks.push({ at: start + column, source: numbers.length > 1 ? sources[source].replace("../", "") : null });
    }
    start += (lines[i]?.length ?? 0) + 1;
  }
  return marks.map(({ at, source }, i) => ({ source, text: code.slice(at, marks[i + 1]?.at) }));
}

const [path = "dist/core.min.js"] = process.argv.slice(2);
const code = readFileSync(path, "utf8");
const pieces = piecesOf(code, JSON.parse(readFileSync(`${path}.map`, "utf8")));
const bytesOf = (text) => gzipSync(text).length;
const total = bytesOf(code);

function shares(groupOf) {
  const groups = [...new Set(pieces.flatMap(({ source }) => (source ? [groupOf(source)] : [])))];
  return groups
    .map((group) => {
      const rest = pieces.filter(({ source }) => !source || groupOf(source) !== group);
      return [group, total - bytesOf(rest.map(({ text }) => text).join(""))];
    })
    .sort(([, a], [, b]) => b - a);
}

console.log(`${path}: ${total} bytes gzipped`);
for (const groupOf of [
  (source) =>
    source
      .split("/")
      .slice(0, source.startsWith("src/") ? 2 : 1)
      .join("/"),
  String,
]) {
  console.log();
  for (const [group, bytes] of shares(groupOf)) console.log(`${String(bytes).padStart(6)} ${group}`);
}
