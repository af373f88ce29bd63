import { safetensorsHeadBytes, safetensorsLayout, toFloat32, type StoredTensor } from "../io/safetensors.ts";
import { nonFinite } from "../tensor/finite.ts";
import { InputError } from "../runtime/errors.ts";

/** A network's pretrained weights, read tensor by tensor: the file need not fit in memory. */
export interface PretrainedWeights {
  /** Name of the file, for errors. */
  readonly source: string;
  /** SHA-256 of the file, 64 hexadecimal digits. */
  readonly sha256: string;
  /** Shapes of the tensors, by name. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** Reads a tensor that `shapes` has. */
  readonly read: (name: string) => Promise<StoredTensor>;
}

/** Bytes that can be read from any position: a file on a disk, or one that a page was given. */
export interface ByteSource {
  readonly name: string;
  readonly bytes: number;
  /** SHA-256 of all bytes, 64 hexadecimal digits. */
  readonly sha256: string;
  /** Returns fewer bytes than asked for only if the source has become shorter. */
  readonly read: (first: number, bytes: number) => Promise<Uint8Array>;
}

/**
 * Opens a safetensors file of weights: reads its header now, and each tensor when it is asked for.
 * @throws InputError if it is no safetensors file
 */
export async function openWeightsFrom({ name, bytes: size, sha256, read }: ByteSource): Promise<PretrainedWeights> {
  const head = await read(0, safetensorsHeadBytes(await read(0, Math.min(8, size)), size, name));
  const { tensors } = safetensorsLayout(head, size, name);
  return {
    source: name,
    sha256,
    shapes: new Map([...tensors].map(([key, { shape }]) => [key, shape])),
    read: async (key) => {
      const { dtype, shape, first, bytes } = tensors.get(key)!;
      const data = await read(first, bytes);
      if (data.length !== bytes) throw new InputError(`${name} has become shorter while it was read; try again`);
      return { dtype, shape, bytes: data };
    },
  };
}

/**
 * Reads the values of a tensor that the weights have.
 * @throws InputError for another dtype than F32, F16 or BF16, or a value that is NaN or infinite
 */
export async function readValues({ source, read }: PretrainedWeights, name: string): Promise<Float32Array> {
  const which = `${name} of ${source}`;
  const values = toFloat32(await read(name), which);
  const wrong = nonFinite(values);
  if (wrong) throw new InputError(`${which} holds ${wrong}: the file is damaged; fetch it again`);
  return values;
}
