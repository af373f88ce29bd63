// Picture files that no library here can write.

/** A tag: its number, its type (3 SHORT, 4 LONG, 11 FLOAT) and its value. */
export type Tag = readonly [tag: number, type: 3 | 4 | 11, value: number];

/** An uncompressed TIFF with one sample per pixel, little-endian. Tags given replace the usual ones. */
export function tiffOf(
  samples: { readonly buffer: ArrayBufferLike; readonly byteOffset: number; readonly byteLength: number },
  width: number,
  height: number,
  bits: number,
  tags: readonly Tag[] = [],
): Buffer {
  const pixels = Buffer.from(samples.buffer as ArrayBuffer, samples.byteOffset, samples.byteLength);
  const usual: readonly Tag[] = [
    [256, 3, width],
    [257, 3, height],
    [258, 3, bits],
    [259, 3, 1],
    [262, 3, 1],
    [273, 4, 8],
    [277, 3, 1],
    [278, 3, height],
    [279, 4, pixels.length],
  ];
  const all = [...new Map([...usual, ...tags].map((tag) => [tag[0], tag])).values()].sort(([a], [b]) => a - b);
  const padded = pixels.length + (pixels.length % 2);
  const file = Buffer.alloc(8 + padded + 2 + 12 * all.length + 4);
  file.write("II*\0");
  file.writeUInt32LE(8 + padded, 4);
  pixels.copy(file, 8);
  file.writeUInt16LE(all.length, 8 + padded);
  for (const [i, [tag, type, value]] of all.entries()) {
    const at = 8 + padded + 2 + 12 * i;
    file.writeUInt16LE(tag, at);
    file.writeUInt16LE(type, at + 2);
    file.writeUInt32LE(1, at + 4);
    if (type === 11) file.writeFloatLE(value, at + 8);
    else file.writeUInt32LE(value, at + 8);
  }
  return file;
}
