import { InputError } from "../runtime/errors.ts";

const DTYPE_BYTES: Readonly<Record<string, number>> = {
  BOOL: 1, U8: 1, I8: 1, F8_E4M3: 1, F8_E5M2: 1, U16: 2, I16: 2, F16: 2, BF16: 2, U32: 4, I32: 4, F32: 4, U64: 8, I64: 8, F64: 8,
};
const MAX_HEADER_BYTES = 100_000_000; // the format's own limit

/** A tensor as stored: row-major, little-endian. */
export interface StoredTensor {
  /** As in the file: F32, F16, BF16, ... */
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export interface SafetensorsFile {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Writes tensors and text metadata in the safetensors format. Equal contents give equal bytes: names are sorted.
 * @see https://github.com/huggingface/safetensors, "Format"
 */
export function encodeSafetensors({ tensors, metadata }: SafetensorsFile): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: Object.fromEntries(Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1))) };
  const sorted = [...tensors].sort(([a], [b]) => (a < b ? -1 : 1));
  let offset = 0;
  for (const [name, { dtype, shape, bytes }] of sorted) {
    header[name] = { dtype, shape, data_offsets: [offset, offset + bytes.length] };
    offset += bytes.length;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const headerBytes = Math.ceil(text.length / 8) * 8; // so that the data is aligned
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

/**
 * Reads a safetensors file. Tensors are views of `file`, not copies.
 *
 * @param name the file's name, for errors
 * @throws InputError if the file is not what the format says, with what is wrong
 */
export function decodeSafetensors(file: Uint8Array, name: string): SafetensorsFile {
  const fail = (problem: string): never => {
    throw new InputError(`${name} is no valid safetensors file: ${problem}`);
  };
  if (file.length < 8) fail(`it has ${file.length} bytes, a header needs 8`);
  const headerBytes = Number(new DataView(file.buffer, file.byteOffset, 8).getBigUint64(0, true));
  if (!(headerBytes <= MAX_HEADER_BYTES && 8 + headerBytes <= file.length)) fail(`its header claims ${headerBytes} bytes of ${file.length}`);
  const header = parseHeader(file.subarray(8, 8 + headerBytes), fail);
  const data = file.subarray(8 + headerBytes);
  const tensors = new Map<string, StoredTensor>();
  let metadata: Record<string, string> = {};
  const extents: [number, number, string][] = [];
  for (const [key, entry] of Object.entries(header)) {
    if (key === "__metadata__") {
      metadata = textsOf(entry) ?? fail("its metadata is no object of texts");
      continue;
    }
    const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
    const elementBytes = typeof dtype === "string" && Object.hasOwn(DTYPE_BYTES, dtype) ? DTYPE_BYTES[dtype]! : fail(`tensor ${key} has dtype ${String(dtype)}`);
    if (!isWholeNumbers(shape)) return fail(`tensor ${key} has shape ${JSON.stringify(shape)}`);
    if (!isWholeNumbers(offsets) || offsets.length !== 2) return fail(`tensor ${key} has offsets ${JSON.stringify(offsets)}`);
    const [begin, end] = offsets as [number, number];
    const bytes = shape.reduce((product, extent) => product * extent, elementBytes);
    if (!(begin <= end && end <= data.length)) fail(`tensor ${key} lies at ${begin}..${end} of ${data.length} bytes`);
    if (end - begin !== bytes) fail(`tensor ${key} ${dtype as string} [${shape.join(",")}] needs ${bytes} bytes, has ${end - begin}`);
    extents.push([begin, end, key]);
    tensors.set(key, { dtype: dtype as string, shape, bytes: data.subarray(begin, end) });
  }
  let covered = 0;
  for (const [begin, end, key] of extents.sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    if (begin !== covered) fail(`tensor ${key} begins at ${begin}, the one before ends at ${covered}`);
    covered = end;
  }
  if (covered !== data.length) fail(`${data.length - covered} bytes belong to no tensor`);
  return { tensors, metadata };
}

/**
 * The numbers of an F32 tensor.
 * @throws InputError for another dtype
 */
export function float32Of({ dtype, bytes }: StoredTensor, name: string): Float32Array {
  if (dtype !== "F32") throw new InputError(`expected tensor ${name} of dtype F32, it is ${dtype}`);
  return new Float32Array(Uint8Array.from(bytes).buffer); // a copy, aligned, whatever kind of array the bytes are in
}

function parseHeader(bytes: Uint8Array, fail: (problem: string) => never): Record<string, unknown> {
  try {
    const header: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (typeof header === "object" && header !== null && !Array.isArray(header)) return header as Record<string, unknown>;
  } catch {
    // said below
  }
  return fail("its header is no JSON object");
}

function textsOf(value: unknown): Record<string, string> | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const entries = Object.entries(value);
  return entries.every(([, text]) => typeof text === "string") ? Object.fromEntries(entries as [string, string][]) : null;
}

const isWholeNumbers = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && (n as number) >= 0);
