import type { Draws } from "../../harness/draws.ts";

const MOST_MUTATIONS = 6;
const LONGEST = 1 << 16; // bytes of an input

// Boundary values on which parsers fail.
const BORDERS = [
  0,
  1,
  2,
  3,
  7,
  8,
  127,
  128,
  255,
  256,
  32_767,
  32_768,
  65_535,
  65_536,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53,
];
const NUMBERS = [
  ...BORDERS.map(String),
  "-1",
  "-0",
  "1.5",
  "1e308",
  "1e999",
  "1e-400",
  "0x10",
  "9007199254740993",
  "NaN",
  "00",
  "",
];
const WORDS = [
  "null",
  "true",
  "{}",
  "[]",
  '""',
  "{",
  "}",
  "[",
  "]",
  '"',
  "\\",
  "\\u0000",
  "\\ud800",
  ",",
  ":",
  "\n",
  "\r",
  "\r\n",
  "\0",
  "\t",
  "\uFEFF",
  "..",
  "../",
  "/",
  "//",
  "*",
  "**/*",
  "{a,b}",
  "__proto__",
  "constructor",
  "toString",
  "length",
  "é",
  "\u2028",
  "𝄞",
  "<script>",
  "\x1b[31m",
];

const encoder = new TextEncoder();
// one character per byte, so that texts and bytes convert either way
const decoder = new TextDecoder("latin1");

/**
 * A mutated seed, changed in a few places: bytes and bits, boundary numbers in either byte order, parts removed,
 * doubled, moved, or taken from another seed.
 */
export function mutated(seeds: readonly Uint8Array[], draws: Draws): Uint8Array {
  let bytes = draws.pick(seeds);
  const count = draws.chance() ? 1 : draws.whole(2, MOST_MUTATIONS); // a single mutation gets furthest into a parser
  for (let left = count; left > 0; left--) bytes = draws.pick(MUTATIONS)(bytes, draws, seeds).subarray(0, LONGEST);
  return bytes;
}

type Mutation = (bytes: Uint8Array, draws: Draws, seeds: readonly Uint8Array[]) => Uint8Array;

const place = (bytes: Uint8Array, draws: Draws): number => draws.whole(0, Math.max(0, bytes.length - 1));
const lengthFrom = (bytes: Uint8Array, start: number, draws: Draws): number =>
  Math.min(bytes.length - start, 2 ** draws.whole(0, 8));

/** Bytes with a part replaced. */
export function spliced(bytes: Uint8Array, start: number, removed: number, inserted: Uint8Array): Uint8Array {
  const rest = bytes.subarray(start + removed);
  const result = new Uint8Array(start + inserted.length + rest.length);
  result.set(bytes.subarray(0, start));
  result.set(inserted, start);
  result.set(rest, start + inserted.length);
  return result;
}

const MUTATIONS: readonly Mutation[] = [
  function flipsABit(bytes, draws) {
    const at = place(bytes, draws);
    return bytes.map((byte, i) => (i === at ? byte ^ (1 << draws.whole(0, 7)) : byte));
  },
  function setsAByte(bytes, draws) {
    const [at, value] = [place(bytes, draws), draws.whole(0, 255)];
    return bytes.map((byte, i) => (i === at ? value : byte));
  },
  function setsANumber(bytes, draws) {
    const [at, width, value, isLittle] = [
      place(bytes, draws),
      draws.pick([2, 4, 8]),
      draws.pick(BORDERS),
      draws.chance(),
    ];
    const number = new Uint8Array(8);
    new DataView(number.buffer).setBigUint64(0, BigInt(value), isLittle);
    return spliced(bytes, at, width, isLittle ? number.subarray(0, width) : number.subarray(8 - width));
  },
  function leavesOut(bytes, draws) {
    const start = place(bytes, draws);
    return spliced(bytes, start, lengthFrom(bytes, start, draws), new Uint8Array());
  },
  function cutsOff(bytes, draws) {
    return bytes.subarray(0, place(bytes, draws));
  },
  function doubles(bytes, draws) {
    const start = place(bytes, draws);
    const part = bytes.subarray(start, start + lengthFrom(bytes, start, draws));
    const times = draws.pick([1, 1, 1, 2, 16, 200]);
    const repeated = new Uint8Array(part.length * times);
    for (let i = 0; i < times; i++) repeated.set(part, i * part.length);
    return spliced(bytes, start, 0, repeated.subarray(0, LONGEST));
  },
  function takesFromAnother(bytes, draws, seeds) {
    const other = draws.pick(seeds);
    const [start, from] = [place(bytes, draws), place(other, draws)];
    return spliced(
      bytes,
      start,
      draws.pick([0, lengthFrom(bytes, start, draws)]),
      other.subarray(from, from + lengthFrom(other, from, draws)),
    );
  },
  function insertsAWord(bytes, draws) {
    return spliced(bytes, place(bytes, draws), draws.pick([0, 0, 1, 2]), encoder.encode(draws.pick(WORDS)));
  },
  function changesANumberInText(bytes, draws) {
    const found = [...decoder.decode(bytes).matchAll(/-?\d+(?:\.\d+)?(?:e[-+]?\d+)?/gi)];
    if (found.length === 0) return bytes;
    const { index, 0: text } = draws.pick(found);
    return spliced(bytes, index, text.length, encoder.encode(draws.pick([...NUMBERS, ...WORDS])));
  },
  function changesAWordInText(bytes, draws) {
    const found = [...decoder.decode(bytes).matchAll(/"[^"]*"|\w+/g)];
    if (found.length === 0) return bytes;
    const { index, 0: text } = draws.pick(found);
    return spliced(bytes, index, text.length, encoder.encode(draws.pick([...WORDS, ...NUMBERS, draws.pick(found)[0]])));
  },
];
