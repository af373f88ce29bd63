// Anomaly maps of test images, kept for pictures.
import { join } from "node:path";
import { decodeSafetensors, encodeSafetensors, float32Of } from "../../src/io/safetensors.ts";
import { ensureWritableFolder, writeFileAtomic } from "../../src/node/files/files.ts";
import { readBytes } from "../../src/node/files/read.ts";
import type { Scored } from "./nearest.ts";

/** The maps' file of a choice. */
export const mapsPath = (
  folder: string,
  { dataset, backbone, choice }: { readonly dataset: string; readonly backbone: string; readonly choice: string },
): string => join(folder, `${dataset}.${backbone}.${choice.replaceAll(" ", "_")}.maps`);

/** Writes the maps of test images, each of size x size, by the images' paths. */
export async function writeMaps(path: string, images: readonly Scored[]): Promise<void> {
  await ensureWritableFolder(join(path, ".."));
  const tensors = images.map(({ path: name, map, width, height }) => {
    const bytes = new Uint8Array(map.buffer, map.byteOffset, map.byteLength);
    return [name, { dtype: "F32", shape: [height, width], bytes }] as const;
  });
  await writeFileAtomic(path, encodeSafetensors({ tensors: new Map(tensors), metadata: {} }));
}

/** Maps by the images' paths. */
export async function readMaps(path: string): Promise<ReadonlyMap<string, Float32Array>> {
  const { tensors } = decodeSafetensors(await readBytes(path), path);
  return new Map([...tensors].map(([name, tensor]) => [name, float32Of(tensor, `${name} of ${path}`)]));
}
