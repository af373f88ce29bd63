import { isDeepStrictEqual } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import sharp, { type JpegOptions } from "sharp";
import { RawSplitter, rgbImage, type FrameSplitter, type SplitFrame } from "../../src/io/frames.ts";
import { JpegSplitter } from "../../src/io/mjpeg.ts";
import { decodeImageBytes } from "../../src/node/images.ts";

const CHUNKS = [1, 2, 3, 5, 64, 1000, 1e6]; // bytes
const FRAME = Buffer.from([0xff, 0xd8, 0xff]);

/** All frames of a stream that comes in parts of so many bytes. */
function framesOf(splitter: FrameSplitter, stream: Uint8Array, chunk: number): SplitFrame[] {
  const frames: SplitFrame[] = [];
  for (let at = 0; at < stream.length; at += chunk) frames.push(...splitter.push(stream.subarray(at, at + chunk)));
  return [...frames, ...splitter.end()];
}

/** Frames of a stream of JPEGs, the same ones however it comes; each byte is in one of them, or skipped. */
function jpegsIn(
  stream: Uint8Array,
  limit?: number,
): { readonly frames: (Buffer | string)[]; readonly skipped: number } {
  const found = CHUNKS.map((chunk) => {
    const splitter = new JpegSplitter(limit);
    const frames = framesOf(splitter, stream, chunk).map((frame) =>
      "bytes" in frame ? Buffer.from(frame.bytes) : frame.reason,
    );
    return { frames, skipped: splitter.skipped };
  });
  for (const other of found) expect(isDeepStrictEqual(other, found[0])).toBe(true);
  const { frames, skipped } = found[0]!;
  const bytes = frames.reduce((sum, frame) => sum + (typeof frame === "string" ? 0 : frame.length), skipped);
  if (limit === undefined) expect(bytes).toBe(stream.length);
  return found[0]!;
}

/** A picture in which each seed has others of all values, so that entropy-coded data hold stuffed bytes. */
function noisyJpeg(seed: number, options: JpegOptions = {}): Promise<Buffer> {
  const [width, height] = [40 + seed, 30];
  const data = Uint8Array.from({ length: 3 * width * height }, (_, i) => ((i + seed) * 2654435761) >>> 24);
  return sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 95, ...options })
    .toBuffer();
}

/** The position of a JPEG's second segment. */
const secondSegmentOf = (jpeg: Buffer): number => 4 + jpeg.readUInt16BE(4);

/** A JPEG with a segment behind its start. */
function withSegment(jpeg: Buffer, code: number, contents: Buffer): Buffer {
  const header = Buffer.from([0xff, code, (contents.length + 2) >> 8, (contents.length + 2) & 255]);
  return Buffer.concat([jpeg.subarray(0, 2), header, contents, jpeg.subarray(2)]);
}

describe("concatenated JPEGs", () => {
  let [plain, other, progressive]: Buffer[] = [];
  beforeAll(async () => {
    [plain, other, progressive] = await Promise.all([noisyJpeg(1), noisyJpeg(2), noisyJpeg(3, { progressive: true })]);
  });

  test("come apart, baseline and progressive, in whatever parts they come", () => {
    expect(plain!.includes(Buffer.from([0xff, 0x00]))).toBe(true);
    const all = [plain!, progressive!, other!, plain!];
    expect(jpegsIn(Buffer.concat(all))).toEqual({ frames: all, skipped: 0 });
    expect(jpegsIn(plain!)).toEqual({ frames: [plain], skipped: 0 });
    expect(jpegsIn(Buffer.alloc(0))).toEqual({ frames: [], skipped: 0 });
  });

  test("with thumbnails, comments and padding in them are one frame each", async () => {
    const thumbnail = withSegment(plain!, 0xe1, Buffer.concat([Buffer.from("Exif\0\0"), other!, other!]));
    const comment = withSegment(plain!, 0xfe, Buffer.from([0xff, 0xd9, 0xff, 0xd8, 0xff, 0xd9]));
    const padded = Buffer.concat([plain!.subarray(0, 2), Buffer.from([0xff, 0xff]), plain!.subarray(2)]);
    const empty = withSegment(plain!, 0xe5, Buffer.alloc(0));
    const all = [thumbnail, comment, padded, empty, plain!];
    expect(jpegsIn(Buffer.concat(all))).toEqual({ frames: all, skipped: 0 });
    for (const frame of all) expect(await decodeImageBytes(frame, "it")).toEqual(await decodeImageBytes(plain!, "it"));
  });

  test("with restarts in their data are one frame each", () => {
    const restarts = Buffer.from("ffd8ffda000201ffd002ffd7ff0003ffffffd1ffd9", "hex");
    expect(jpegsIn(Buffer.concat([restarts, plain!])).frames).toEqual([restarts, plain]);
  });

  test("are found behind what is none, which is counted", () => {
    const boundary = Buffer.from("--frame\r\nContent-Type: image/jpeg\r\n\r\n");
    const zeros = Buffer.alloc(9);
    const misleading = Buffer.from([0xff, 0xff, 0xd8, 0x00, 0xff, 0xd8, 0xd8, 0xff, 0x01]);
    const stream = Buffer.concat([boundary, plain!, zeros, other!, misleading, plain!, Buffer.from([0xff, 0xd8])]);
    expect(jpegsIn(stream)).toEqual({
      frames: [plain, other, plain],
      skipped: boundary.length + zeros.length + misleading.length + 2,
    });
    expect(jpegsIn(Buffer.from("no picture at all"))).toEqual({ frames: [], skipped: 17 });
  });

  test("that are cut off end where the next begins, or with the stream", () => {
    const cut = plain!.subarray(0, plain!.length - 40);
    expect(jpegsIn(Buffer.concat([cut, other!, cut])).frames).toEqual([cut, other, cut]);
    expect(jpegsIn(Buffer.concat([plain!.subarray(0, -1), other!])).frames.at(-1)).toEqual(other);
    const early = plain!.subarray(0, secondSegmentOf(plain!)); // within its header
    expect(jpegsIn(Buffer.concat([early, other!])).frames).toEqual([early, other]);
    expect(jpegsIn(FRAME)).toEqual({ frames: [FRAME], skipped: 0 });
  });

  test("that are damaged are handed out as they are, and the next one is found", () => {
    const damaged = Buffer.from(plain!);
    damaged[secondSegmentOf(damaged)] = 0x41;
    const short = Buffer.from("ffd8ffe00001", "hex"); // a segment of length 1
    const stuffed = Buffer.from("ffd8ff00", "hex");
    const { frames } = jpegsIn(Buffer.concat([damaged, other!, short, other!, stuffed, plain!]));
    expect(frames).toEqual([
      damaged.subarray(0, secondSegmentOf(plain!)),
      other,
      short.subarray(0, 5),
      other,
      FRAME,
      plain,
    ]);
  });

  test("that are larger than the limit are left out, once, and the next one is found", async () => {
    const large = await noisyJpeg(200);
    const { frames } = jpegsIn(Buffer.concat([plain!, large, plain!]), plain!.length);
    expect(frames).toEqual([plain, `it has more than ${plain!.length} bytes`, plain]);
    const endless = new JpegSplitter(1000);
    const started = endless.push(Buffer.from("ffd8ffda0002", "hex"));
    const all = Array.from({ length: 100 }, () => endless.push(Buffer.alloc(500, 7))).flat();
    expect([...started, ...all, ...endless.end()]).toEqual([{ reason: "it has more than 1000 bytes" }]);
  });
});

describe("raw frames", () => {
  test("come apart by their size, and what is cut off is left out", () => {
    const stream = Uint8Array.from({ length: 3 * 24 + 7 }, (_, i) => i);
    for (const chunk of CHUNKS) {
      const frames = framesOf(new RawSplitter({ width: 4, height: 2 }), stream, chunk);
      expect(frames).toEqual([
        ...[0, 1, 2].map((i) => ({ bytes: stream.subarray(24 * i, 24 * (i + 1)) })),
        { reason: "it is cut off: the stream ended after 7 of its 24 bytes" },
      ]);
      expect(framesOf(new RawSplitter({ width: 4, height: 2 }), stream.subarray(0, 48), chunk)).toHaveLength(2);
    }
  });

  test("have the pixels of the picture that they are", async () => {
    const [width, height] = [5, 3];
    const data = Uint8Array.from({ length: 3 * width * height }, (_, i) => (37 * i) % 256);
    const png = await sharp(data, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer();
    expect(rgbImage(data, { width, height })).toEqual({
      width,
      height,
      data: (await decodeImageBytes(png, "it")).data,
    });
  });

  test("of no pixels, or too many, are refused", () => {
    for (const size of [
      { width: 0, height: 4 },
      { width: 10_000, height: 10_000 },
    ])
      expect(() => new RawSplitter(size)).toThrow(/^raw frames: expected 1 to 42666666 pixels, got /);
  });
});
