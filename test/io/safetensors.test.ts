import { describe, expect, test } from "vitest";
import {
  decodeSafetensors,
  encodeSafetensors,
  float32Of,
  toFloat32,
  type StoredTensor,
} from "../../src/io/safetensors.ts";
import { InputError, OptionError, ShapeError } from "../../src/runtime/errors.ts";

/** A file by the format's definition: eight bytes of header length, the header, the data. */
function fileOf(header: string, data: readonly number[] = []): Uint8Array {
  const text = new TextEncoder().encode(header);
  const file = new Uint8Array(8 + text.length + data.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  file.set(data, 8 + text.length);
  return file;
}

const floats = (...values: number[]): StoredTensor => ({
  dtype: "F32",
  shape: [values.length],
  bytes: new Uint8Array(Float32Array.from(values).buffer),
});

test("what was written is read back, from any kind of byte array", () => {
  const file = encodeSafetensors({
    tensors: new Map([
      ["b", floats(1, 2)],
      ["a", floats(-0.5)],
    ]),
    metadata: { format: "test", other: "text" },
  });
  const unaligned = new Uint8Array(file.length + 3).subarray(3);
  unaligned.set(file);
  // Node's own kind
  const kinds = [file, unaligned, ...(typeof Buffer === "undefined" ? [] : [Buffer.from(unaligned)])];
  for (const bytes of kinds) {
    const { tensors, metadata } = decodeSafetensors(bytes, "x");
    expect([...tensors.keys()]).toEqual(["a", "b"]);
    expect(float32Of(tensors.get("b")!, "b")).toEqual(Float32Array.of(1, 2));
    expect(metadata).toEqual({ format: "test", other: "text" });
  }
});

test("the order of entries does not change the bytes", () => {
  const one = encodeSafetensors({
    tensors: new Map([
      ["a", floats(1)],
      ["b", floats(2)],
    ]),
    metadata: { x: "1", y: "2" },
  });
  const other = encodeSafetensors({
    tensors: new Map([
      ["b", floats(2)],
      ["a", floats(1)],
    ]),
    metadata: { y: "2", x: "1" },
  });
  expect(other).toEqual(one);
});

test("the bytes are those of the format, to the last one", () => {
  const header = '{"__metadata__":{"k":"v"},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'.padEnd(80);
  const file = encodeSafetensors({ tensors: new Map([["w", floats(1)]]), metadata: { k: "v" } });
  expect(file).toEqual(fileOf(header, [0, 0, 128, 63]));
});

test("every tensor is aligned to its elements, whatever the names and sizes", () => {
  const stored = (dtype: string, elementBytes: number, count: number): StoredTensor => ({
    dtype,
    shape: [count],
    bytes: new Uint8Array(elementBytes * count),
  });
  for (let letters = 0; letters < 8; letters++) {
    const tensors = new Map([
      ["a" + "x".repeat(letters), stored("U8", 1, 3)],
      ["b", stored("F16", 2, 5)],
      ["c", stored("I64", 8, 1)],
      ["d", stored("F32", 4, 3)],
      ["e", stored("BF16", 2, 1)],
    ]);
    const read = decodeSafetensors(encodeSafetensors({ tensors, metadata: {} }), "x").tensors;
    const aligned = Object.entries({ b: 2, c: 8, d: 4, e: 2 }).map(
      ([name, bytes]) => read.get(name)!.bytes.byteOffset % bytes,
    );
    expect(aligned).toEqual([0, 0, 0, 0]);
    expect(read).toEqual(tensors);
  }
});

test("names that objects treat in their own way are names like others", () => {
  const tensors = new Map([
    ["__proto__", floats(1)],
    ["10", floats(2)],
    ["9", floats(3)],
    ["constructor", floats(4)],
    ['\u{1F600} "\n', floats(5)],
  ]);
  const metadata = JSON.parse('{"__proto__":"a","2":"b","10":"c"}') as Record<string, string>;
  const read = decodeSafetensors(encodeSafetensors({ tensors, metadata }), "x");
  expect(read.tensors).toEqual(tensors);
  expect(Object.entries(read.metadata).sort()).toEqual(Object.entries(metadata).sort());
  expect(encodeSafetensors(read)).toEqual(encodeSafetensors({ tensors, metadata }));
});

test("a hostile header changes no object and lends no metadata", () => {
  const { tensors, metadata } = decodeSafetensors(
    fileOf('{"__metadata__":{"__proto__":"x"},"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', [7]),
    "x",
  );
  expect(tensors.get("__proto__")!.bytes[0]).toBe(7);
  expect(Object.getOwnPropertyNames(metadata)).toEqual(["__proto__"]);
  expect(decodeSafetensors(fileOf("{}"), "x").metadata["constructor"]).toBeUndefined();
  expect(Object.keys(Object.prototype)).toEqual([]);
});

test("tensors are views of the file", () => {
  const file = encodeSafetensors({ tensors: new Map([["w", floats(1)]]), metadata: {} });
  expect(decodeSafetensors(file, "x").tensors.get("w")!.bytes.buffer).toBe(file.buffer);
});

test("a scalar, a tensor without elements and no tensor at all are read", () => {
  const tensors = new Map([
    ["empty", { dtype: "F32", shape: [0, 3], bytes: new Uint8Array() }],
    ["scalar", { dtype: "F64", shape: [], bytes: new Uint8Array(8) }],
  ]);
  expect(decodeSafetensors(encodeSafetensors({ tensors, metadata: {} }), "x").tensors).toEqual(tensors);
  expect(decodeSafetensors(encodeSafetensors({ tensors: new Map(), metadata: {} }), "x").tensors.size).toBe(0);
});

test.each([
  ["F32", [0, 0, 128, 63, 0, 0, 0, 192], [1, -2]],
  ["F16", [0, 0x3c, 0, 0xc0, 1, 0], [1, -2, 2 ** -24]],
  ["BF16", [0x80, 0x3f, 0, 0xc0], [1, -2]],
])("%s is read as f32, into an array of its own, from any address", (dtype, data, want) => {
  const bytes = Uint8Array.from([255, ...data]).subarray(1);
  const got = toFloat32({ dtype, shape: [want.length], bytes }, "w");
  expect([...got]).toEqual(want);
  bytes.fill(0);
  expect([...got]).toEqual(want);
});

test("other dtypes are not taken for f32", () => {
  const stored = (dtype: string): StoredTensor => ({ dtype, shape: [1], bytes: new Uint8Array(8) });
  expect(() => toFloat32(stored("I64"), "w")).toThrow("expected tensor w of dtype F32, F16 or BF16, it is I64");
  expect(() => float32Of(stored("F16"), "w")).toThrow("expected tensor w of dtype F32, it is F16");
});

test("what could not be read back is not written", () => {
  const encode = (name: string, tensor: StoredTensor) => () =>
    encodeSafetensors({ tensors: new Map([[name, tensor]]), metadata: {} });
  expect(encode("w", { ...floats(1, 2), shape: [3] })).toThrow(
    new ShapeError("encodeSafetensors: tensor w F32 [3] does not have 8 bytes"),
  );
  expect(encode("w", { ...floats(1), dtype: "F99" })).toThrow(ShapeError);
  expect(encode("w", { ...floats(1), shape: [-1, -1] })).toThrow(ShapeError);
  expect(encode("__metadata__", floats(1))).toThrow(OptionError);
});

test("a file written by hand is read", () => {
  const { tensors } = decodeSafetensors(
    fileOf('{"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}', [0, 0, 128, 63, 0, 0, 0, 192]),
    "x",
  );
  expect(float32Of(tensors.get("w")!, "w")).toEqual(Float32Array.of(1, -2));
});

describe("a damaged file is refused:", () => {
  const entry = (fields: string) => `{"w":{${fields}}}`;
  const byte = '{"dtype":"U8","shape":[1],"data_offsets":[0,1]}';
  const deep = "[".repeat(100_000) + "]".repeat(100_000);
  const huge = Array.from({ length: 30 }, () => Number.MAX_SAFE_INTEGER).join(",");
  const largeHeader = (bytes: number): Uint8Array => {
    const file = new Uint8Array(8 + bytes);
    new DataView(file.buffer).setBigUint64(0, BigInt(bytes), true);
    return file;
  };
  test.each([
    ["too short", new Uint8Array(3), "it has 3 bytes, a header needs 8"],
    [
      "a header longer than the file",
      fileOf("{}").map((byte, i) => (i === 0 ? 200 : byte)),
      "its header claims 200 bytes of 10",
    ],
    ["a header of absurd size", new Uint8Array(8).fill(255), "its header claims"],
    ["no JSON", fileOf("hello"), "its header is not a JSON object"],
    ["a list", fileOf("[]"), "its header is not a JSON object"],
    ["nothing", new Uint8Array(8), "its header is not a JSON object"],
    ["a space before the brace", fileOf(" {}"), "its header is not a JSON object"],
    ["a byte order mark before the brace", fileOf("\ufeff{}"), "its header is not a JSON object"],
    [
      "bytes that are no UTF-8",
      fileOf('{"?":1}').map((byte) => (byte === 63 ? 255 : byte)),
      "its header is not a JSON object",
    ],
    ["null", fileOf("null"), "its header is not a JSON object"],
    [
      "more than a header may have, in a file that has it",
      largeHeader((1 << 25) + 1),
      "its header claims 33554433 bytes; at most 33554432 are allowed",
    ],
    [
      "lists in lists",
      fileOf(`{"w":${"[".repeat(1000)}`),
      "in its header, its JSON nests lists and objects more than 3 deep",
    ],
    [
      "a million lists",
      fileOf(`{"w":{"shape":${"[],".repeat(1 << 20)}`),
      "in its header, its JSON has more than 196610 lists and objects",
    ],
    [
      "a million objects",
      fileOf(`{${'"":{},'.repeat(1 << 20)}`),
      "in its header, its JSON has more than 196610 lists and objects",
    ],
    [
      "a tensor twice",
      fileOf(`{"w":${byte},"v":null,"\\u0077" :${byte}}`, [1]),
      'in its header, its JSON has the key "w" twice in one object',
    ],
    [
      "a field twice",
      fileOf('{"w":{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}}', [1]),
      'in its header, its JSON has the key "dtype" twice in one object',
    ],
    [
      "metadata twice",
      fileOf('{"__metadata__":{},"__metadata__":{}}'),
      'in its header, its JSON has the key "__metadata__" twice in one object',
    ],
    ["metadata that is a list", fileOf('{"__metadata__":["a"]}'), "its metadata is not an object of strings"],
    ["no metadata", fileOf('{"__metadata__":null}'), "its metadata is not an object of strings"],
    [
      "a dtype that cannot be printed",
      fileOf(entry('"dtype":{"toString":null,"valueOf":null}')),
      "tensor w has dtype ...",
    ],
    [
      "a dtype deeper than the stack",
      fileOf(entry(`"dtype":${deep}`)),
      "in its header, its JSON nests lists and objects more than 3 deep",
    ],
    [
      "a shape deeper than the stack",
      fileOf(entry(`"dtype":"U8","shape":${deep}`)),
      "in its header, its JSON nests lists and objects more than 3 deep",
    ],
    [
      "a shape that is no list",
      fileOf(entry('"dtype":"U8","shape":{"length":0},"data_offsets":[0,0]')),
      "tensor w has shape ...",
    ],
    ["no shape", fileOf(entry('"dtype":"U8","data_offsets":[0,0]')), "tensor w has shape undefined"],
    [
      "a broken extent",
      fileOf(entry('"dtype":"U8","shape":[1.5,"2",null],"data_offsets":[0,1]'), [1]),
      "tensor w has shape [1.5,2,null]",
    ],
    [
      "half an extent whose product is whole",
      fileOf(entry('"dtype":"U8","shape":[0.5,2],"data_offsets":[0,1]'), [1]),
      "tensor w has shape [0.5,2]",
    ],
    ["no offsets", fileOf(entry('"dtype":"U8","shape":[]'), [1]), "tensor w has offsets undefined"],
    ["one offset", fileOf(entry('"dtype":"U8","shape":[],"data_offsets":[0]'), [1]), "tensor w has offsets [0]"],
    [
      "offsets in the wrong order",
      fileOf(entry('"dtype":"U8","shape":[0],"data_offsets":[1,0]'), [1]),
      "tensor w lies at 1..0 of 1 bytes",
    ],
    [
      "a product beyond all numbers",
      fileOf(entry(`"dtype":"U8","shape":[${huge},0],"data_offsets":[0,0]`)),
      "tensor w U8 [9007199254740991,",
    ],
    [
      "a gap",
      fileOf(`{"a":${byte},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}`, [1, 2, 3]),
      "tensor b begins at 2, the one before ends at 1",
    ],
    [
      "two tensors in one place",
      fileOf(`{"a":${byte},"b":${byte}}`, [1]),
      "tensor b begins at 0, the one before ends at 1",
    ],
    ["a name of two lines", fileOf('{"a\\nb":null}'), 'tensor "a\\nb" has dtype undefined'],
    ["metadata that is no text", fileOf('{"__metadata__":{"a":1}}'), "its metadata is not an object of strings"],
    ["an unknown dtype", fileOf(entry('"dtype":"F99","shape":[],"data_offsets":[0,0]')), "tensor w has dtype F99"],
    [
      "a dtype that objects inherit",
      fileOf(entry('"dtype":"toString","shape":[],"data_offsets":[0,0]')),
      "tensor w has dtype toString",
    ],
    ["no entry", fileOf('{"w":null}'), "tensor w has dtype undefined"],
    [
      "a negative extent",
      fileOf(entry('"dtype":"F32","shape":[-1],"data_offsets":[0,4]'), [0, 0, 0, 0]),
      "tensor w has shape [-1]",
    ],
    [
      "offsets beyond the data",
      fileOf(entry('"dtype":"F32","shape":[2],"data_offsets":[0,8]'), [0, 0, 0, 0]),
      "tensor w lies at 0..8 of 4 bytes",
    ],
    [
      "a shape of another size",
      fileOf(entry('"dtype":"F32","shape":[2],"data_offsets":[0,4]'), [0, 0, 0, 0]),
      "tensor w F32 [2] needs 8 bytes, has 4",
    ],
    ["bytes of no tensor", fileOf("{}", [1, 2]), "2 bytes belong to no tensor"],
    [
      "overlapping tensors",
      fileOf(
        '{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}',
        [1, 2, 3],
      ),
      "tensor b begins at 1, the one before ends at 2",
    ],
  ])("%s", (_what, file, message) => {
    const decode = () => decodeSafetensors(file, "model.bin");
    expect(decode).toThrow(InputError);
    expect(decode).toThrow(`model.bin is not a valid safetensors file: ${message}`);
    expect(decode).toThrow(/^[^\n]{1,300}$/);
  });
});

test("no damage of one byte, and no missing end, ends in another error", () => {
  const file = encodeSafetensors({
    tensors: new Map([
      ["a", floats(1, 2)],
      ["b", { dtype: "U8", shape: [3], bytes: Uint8Array.of(1, 2, 3) }],
    ]),
    metadata: { k: "v" },
  });
  let refused = 0;
  const attempt = (bytes: Uint8Array) => {
    try {
      decodeSafetensors(bytes, "x");
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      refused++;
    }
  };
  for (let at = 0; at < file.length; at++) {
    attempt(file.subarray(0, at));
    for (const value of [0, 0x22, 0x2c, 0x30, 0x39, 0x5b, 0x5c, 0x7d, 0xff])
      attempt(file.map((byte, i) => (i === at ? value : byte)));
  }
  expect(refused).toBeGreaterThan(file.length); // every shortened file, at the least
});
