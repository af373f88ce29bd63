import { describe, expect, test } from "vitest";
import { decodeSafetensors, encodeSafetensors, float32Of, type StoredTensor } from "../../src/io/safetensors.ts";

/** A file by the format's definition: eight bytes of header length, the header, the data. */
function fileOf(header: string, data: readonly number[] = []): Uint8Array {
  const text = new TextEncoder().encode(header);
  const file = new Uint8Array(8 + text.length + data.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  file.set(data, 8 + text.length);
  return file;
}

const floats = (...values: number[]): StoredTensor => ({ dtype: "F32", shape: [values.length], bytes: new Uint8Array(Float32Array.from(values).buffer) });

test("what was written is read back, from any kind of byte array", () => {
  const file = encodeSafetensors({ tensors: new Map([["b", floats(1, 2)], ["a", floats(-0.5)]]), metadata: { format: "test", other: "text" } });
  for (const bytes of [file, Buffer.from(file), Buffer.concat([Buffer.alloc(3), file]).subarray(3)]) {
    const { tensors, metadata } = decodeSafetensors(bytes, "x");
    expect([...tensors.keys()]).toEqual(["a", "b"]);
    expect(float32Of(tensors.get("b")!, "b")).toEqual(Float32Array.of(1, 2));
    expect(metadata).toEqual({ format: "test", other: "text" });
  }
});

test("the order of entries does not change the bytes, and the data is aligned", () => {
  const one = encodeSafetensors({ tensors: new Map([["a", floats(1)], ["b", floats(2)]]), metadata: { x: "1", y: "2" } });
  const other = encodeSafetensors({ tensors: new Map([["b", floats(2)], ["a", floats(1)]]), metadata: { y: "2", x: "1" } });
  expect(other).toEqual(one);
  expect((one.length - 8) % 8).toBe(0);
});

test("a file written by hand is read", () => {
  const { tensors } = decodeSafetensors(fileOf('{"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}', [0, 0, 128, 63, 0, 0, 0, 192]), "x");
  expect(float32Of(tensors.get("w")!, "w")).toEqual(Float32Array.of(1, -2));
});

describe("a damaged file is refused:", () => {
  const entry = (fields: string) => `{"w":{${fields}}}`;
  test.each([
    ["too short", new Uint8Array(3), "it has 3 bytes, a header needs 8"],
    ["a header longer than the file", fileOf("{}").map((byte, i) => (i === 0 ? 200 : byte)), "its header claims 200 bytes of 10"],
    ["a header of absurd size", new Uint8Array(8).fill(255), "its header claims"],
    ["no JSON", fileOf("hello"), "its header is no JSON object"],
    ["a list", fileOf("[]"), "its header is no JSON object"],
    ["metadata that is no text", fileOf('{"__metadata__":{"a":1}}'), "its metadata is no object of texts"],
    ["an unknown dtype", fileOf(entry('"dtype":"F99","shape":[],"data_offsets":[0,0]')), "tensor w has dtype F99"],
    ["a dtype that objects inherit", fileOf(entry('"dtype":"toString","shape":[],"data_offsets":[0,0]')), "tensor w has dtype toString"],
    ["no entry", fileOf('{"w":null}'), "tensor w has dtype undefined"],
    ["a negative extent", fileOf(entry('"dtype":"F32","shape":[-1],"data_offsets":[0,4]'), [0, 0, 0, 0]), "tensor w has shape [-1]"],
    ["offsets beyond the data", fileOf(entry('"dtype":"F32","shape":[2],"data_offsets":[0,8]'), [0, 0, 0, 0]), "tensor w lies at 0..8 of 4 bytes"],
    ["a shape of another size", fileOf(entry('"dtype":"F32","shape":[2],"data_offsets":[0,4]'), [0, 0, 0, 0]), "tensor w F32 [2] needs 8 bytes, has 4"],
    ["bytes of no tensor", fileOf("{}", [1, 2]), "2 bytes belong to no tensor"],
    ["overlapping tensors", fileOf('{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}', [1, 2, 3]), "tensor b begins at 1, the one before ends at 2"],
  ])("%s", (_what, file, message) => {
    expect(() => decodeSafetensors(file, "model.bin")).toThrow(`model.bin is no valid safetensors file: ${message}`);
  });
});
