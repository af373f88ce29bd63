import { InputError, OptionError, ShapeError } from "../runtime/errors.ts";
import { nonFinite } from "../tensor/finite.ts";
import { bfloat16ToFloat, halfToFloat } from "../tensor/half.ts";
import { isObject, isWhole, parseJson } from "./json.ts";

const DTYPE_BYTES: Readonly<Record<string, number>> = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
  U64: 8,
  I64: 8,
  F64: 8,
};
/**
 * Header size limit. The format allows 100 MB, which take seconds to read. Networks of thousands of tensors need some
 * hundred kilobytes, the training state for a million images some twenty megabytes.
 */
const MAX_HEADER_BYTES = 1 << 25;
const HEADER_DEPTH = 3; // the header, a tensor, its shape
// A tensor is an object with two lists; models have some hundred tensors, a few have thousands.
const MAX_CONTAINERS = 3 * (1 << 16) + 2;
const METADATA = "__metadata__";
const SHOWN_CHARACTERS = 80; // length of an excerpt of a file in an error

/** A tensor as stored: row-major, little-endian. */
export interface StoredTensor {
  /** As in the file: F32, F16, BF16, ... */
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** Tensors by name, and metadata texts by key. */
export interface SafetensorsFile {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Writes tensors and text metadata in the safetensors format. Equal contents give equal bytes: tensors are ordered by
 * element size, largest first, then by name. The header is padded to a multiple of 8 bytes, so every tensor is aligned.
 *
 * @throws ShapeError if a dtype is unknown, or the number of bytes does not match dtype and shape; OptionError if a
 *   tensor is named `__metadata__`, or if names and metadata are too long to be read again
 * @see https://github.com/huggingface/safetensors, "Format"
 */
export function encodeSafetensors({ tensors, metadata }: SafetensorsFile): Uint8Array {
  const sorted = [...tensors].sort(
    ([a, x], [b, y]) => elementBytesOf(y.dtype)! - elementBytesOf(x.dtype)! || byName(a, b),
  );
  const texts = Object.entries(metadata).sort(([a], [b]) => byName(a, b));
  // Joined by hand: an object would put keys that look like numbers first, and would lose the key __proto__.
  const entry = (key: string, value: unknown): string => `${JSON.stringify(key)}:${JSON.stringify(value)}`;
  const entries = [`"${METADATA}":{${texts.map(([key, value]) => entry(key, value)).join(",")}}`];
  let offset = 0;
  for (const [name, { dtype, shape, bytes }] of sorted) {
    const needed = isWholeNumbers(shape) ? bytesOf(elementBytesOf(dtype) ?? NaN, shape) : NaN;
    if (bytes.length !== needed) {
      throw new ShapeError(
        `encodeSafetensors: tensor ${name} ${dtype} [${shape.join(",")}] does not have ${bytes.length} bytes`,
      );
    }
    if (name === METADATA)
      throw new OptionError(`encodeSafetensors: the format reserves the name ${METADATA}; rename the tensor`);
    entries.push(entry(name, { dtype, shape, data_offsets: [offset, offset + bytes.length] }));
    offset += bytes.length;
  }
  const text = new TextEncoder().encode(`{${entries.join(",")}}`);
  const headerBytes = Math.ceil(text.length / 8) * 8;
  if (headerBytes > MAX_HEADER_BYTES) {
    throw new OptionError(
      `encodeSafetensors: names and metadata take ${headerBytes} bytes; at most ${MAX_HEADER_BYTES} are allowed`,
    );
  }
  const file = new Uint8Array(8 + headerBytes + offset);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true);
  file.fill(0x20, 8, 8 + headerBytes);
  file.set(text, 8);
  let at = 8 + headerBytes;
  for (const [, { bytes }] of sorted) {
    file.set(bytes, at);
    at += bytes.length;
  }
  return file;
}

/** Position of a tensor in a file. */
export interface TensorExtent {
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Offset of the first byte, from the file's beginning. */
  readonly first: number;
  readonly bytes: number;
}

export interface SafetensorsLayout {
  readonly tensors: ReadonlyMap<string, TensorExtent>;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Number of bytes at a file's beginning that hold the layout: eight bytes of length, and the header.
 *
 * @param start at least the first eight bytes
 * @param fileBytes size of the whole file
 * @throws InputError if no valid header has that length
 */
export function safetensorsHeadBytes(start: Uint8Array, fileBytes: number, name: string): number {
  const fail = failureOf(name);
  if (start.length < 8) fail(`it has ${start.length} bytes, a header needs 8`);
  const headerBytes = Number(new DataView(start.buffer, start.byteOffset, 8).getBigUint64(0, true));
  if (headerBytes > MAX_HEADER_BYTES)
    fail(`its header claims ${headerBytes} bytes; at most ${MAX_HEADER_BYTES} are allowed`);
  if (8 + headerBytes > fileBytes) fail(`its header claims ${headerBytes} bytes of ${fileBytes}`);
  return 8 + headerBytes;
}

/**
 * Layout of a safetensors file.
 *
 * @param head the file's first `safetensorsHeadBytes`
 * @throws InputError with the reason if the file violates the format
 */
export function safetensorsLayout(head: Uint8Array, fileBytes: number, name: string): SafetensorsLayout {
  const fail = failureOf(name);
  const header = parseHeader(head.subarray(8), fail);
  const dataBytes = fileBytes - head.length;
  const tensors = new Map<string, TensorExtent>();
  let metadata: Readonly<Record<string, string>> = noTexts();
  const extents: [number, number, string][] = [];
  for (const [key, entry] of Object.entries(header)) {
    if (key === METADATA) {
      metadata = textsOf(entry) ?? fail("its metadata is not an object of strings");
      continue;
    }
    const tensor = `tensor ${shownName(key)}`;
    const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
    const elementBytes = typeof dtype === "string" ? elementBytesOf(dtype) : undefined;
    if (typeof dtype !== "string" || elementBytes === undefined) return fail(`${tensor} has dtype ${shown(dtype)}`);
    if (!isWholeNumbers(shape)) return fail(`${tensor} has shape ${shown(shape)}`);
    if (!isWholeNumbers(offsets) || offsets.length !== 2) return fail(`${tensor} has offsets ${shown(offsets)}`);
    const [begin, end] = offsets as [number, number];
    const bytes = bytesOf(elementBytes, shape);
    if (!(begin <= end && end <= dataBytes)) fail(`${tensor} lies at ${begin}..${end} of ${dataBytes} bytes`);
    if (end - begin !== bytes) fail(`${tensor} ${dtype} ${shown(shape)} needs ${bytes} bytes, has ${end - begin}`);
    extents.push([begin, end, tensor]);
    tensors.set(key, { dtype, shape, first: head.length + begin, bytes });
  }
  let covered = 0;
  for (const [begin, end, tensor] of extents.sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    if (begin !== covered) fail(`${tensor} begins at ${begin}, the one before ends at ${covered}`);
    covered = end;
  }
  if (covered !== dataBytes) fail(`${dataBytes - covered} bytes belong to no tensor`);
  return { tensors, metadata };
}

/**
 * Reads a safetensors file. Tensors are views of `file`, not copies.
 *
 * @param name the file's name, for errors
 * @throws InputError with the reason if the file violates the format
 */
export function decodeSafetensors(file: Uint8Array, name: string): SafetensorsFile {
  const { tensors, metadata } = safetensorsLayout(
    file.subarray(0, safetensorsHeadBytes(file, file.length, name)),
    file.length,
    name,
  );
  const view = ({ dtype, shape, first, bytes }: TensorExtent): StoredTensor => ({
    dtype,
    shape,
    bytes: file.subarray(first, first + bytes),
  });
  return { tensors: new Map([...tensors].map(([key, extent]) => [key, view(extent)])), metadata };
}

const failureOf =
  (name: string) =>
  (problem: string): never => {
    throw new InputError(`${name} is not a valid safetensors file: ${problem}`);
  };

/**
 * The exact numbers of an F32, F16 or BF16 tensor, in a new array.
 * @param name the tensor's name, for errors
 * @throws InputError for another dtype
 */
export function toFloat32({ dtype, bytes }: StoredTensor, name: string): Float32Array {
  const { buffer } = new Uint8Array(bytes); // a copy: aligned, whatever type of array holds the bytes
  if (dtype === "F32") return new Float32Array(buffer);
  if (dtype === "F16") return Float32Array.from(new Uint16Array(buffer), halfToFloat);
  if (dtype === "BF16") return Float32Array.from(new Uint16Array(buffer), bfloat16ToFloat);
  throw new InputError(`expected tensor ${name} of dtype F32, F16 or BF16, it is ${dtype}`);
}

/**
 * Finite numbers as an F32 tensor, which shares their memory.
 * @param shape default: one axis
 * @param refuse called with what is not finite, such as "NaN at element 5"
 */
export function finiteTensor(
  values: Float32Array,
  refuse: (problem: string) => never,
  shape: readonly number[] = [values.length],
): StoredTensor {
  const problem = nonFinite(values);
  if (problem) return refuse(problem);
  return { dtype: "F32", shape, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
}

/**
 * The numbers of an F32 tensor, in a new array.
 * @param name the tensor's name, for errors
 * @throws InputError for another dtype
 */
export function float32Of(tensor: StoredTensor, name: string): Float32Array {
  if (tensor.dtype !== "F32") throw new InputError(`expected tensor ${name} of dtype F32, it is ${tensor.dtype}`);
  return toFloat32(tensor, name);
}

/**
 * The numbers of F32 tensors, by name.
 * @param source the file's name, for errors
 * @throws InputError for another dtype
 */
export const float32Tensors = (tensors: SafetensorsFile["tensors"], source: string) =>
  new Map(
    [...tensors].map(([name, tensor]) => [
      name,
      { shape: tensor.shape, data: float32Of(tensor, `${name} of ${source}`) },
    ]),
  );

function parseHeader(bytes: Uint8Array, fail: (problem: string) => never): Record<string, unknown> {
  const noObject = "its header is not a JSON object";
  let text: string;
  let header: Record<string, unknown>;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    header = parseJson(text, {
      characters: MAX_HEADER_BYTES,
      depth: HEADER_DEPTH,
      containers: MAX_CONTAINERS,
    }) as Record<string, unknown>;
  } catch (error) {
    return fail(error instanceof InputError ? `in its header, ${error.message}` : noObject);
  }
  if (!text.startsWith("{")) return fail(noObject); // the format allows nothing before the brace, not even a space
  return header;
}

function textsOf(value: unknown): Record<string, string> | null {
  if (!isObject(value)) return null;
  const entries = Object.entries(value);
  return entries.every(([, text]) => typeof text === "string") ? Object.assign(noTexts(), value) : null;
}

/**
 * Without a prototype: `metadata["constructor"]` is undefined unless the file defines it, and `__proto__` is an
 * ordinary key.
 */
const noTexts = (): Record<string, string> => Object.create(null) as Record<string, string>;

const elementBytesOf = (dtype: string): number | undefined =>
  Object.hasOwn(DTYPE_BYTES, dtype) ? DTYPE_BYTES[dtype] : undefined;

const bytesOf = (elementBytes: number, shape: readonly number[]): number =>
  shape.reduce((product, extent) => product * extent, elementBytes);

const byName = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const isWholeNumbers = (value: unknown): value is readonly number[] => Array.isArray(value) && value.every(isWhole);

/**
 * A value of an untrusted header, on one short line for an error. At most one list deep: printing deep values overflows
 * the stack.
 */
const shown = (value: unknown): string =>
  Array.isArray(value) ? shortened(`[${value.slice(0, SHOWN_CHARACTERS).map(shownPart).join(",")}]`) : shownPart(value);

function shownPart(value: unknown): string {
  if (typeof value === "string") return shownName(value);
  return typeof value === "object" && value !== null ? "..." : String(value);
}

/**
 * A text of an untrusted header, for an error: bare if it is plain, otherwise quoted with control characters escaped.
 */
const shownName = (name: string): string => shortened(/^[\w.-]+$/.test(name) ? name : JSON.stringify(name));

const shortened = (text: string): string =>
  text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS)}...`;
