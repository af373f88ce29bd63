// Frames between the program that writes them and the model, without either.
import { Readable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "vitest";
import { RawSplitter, rgbImage } from "../../src/io/frames.ts";
import { FrameStream, type FrameStreamOptions } from "../../src/cli/predict/frame_stream.ts";

const SIZE = { width: 2, height: 1 };
const BYTES = 6;
const MANY = 1000;

interface Source {
  readonly stream: Readable;
  /** Frames that were asked for. */
  asked: number;
}

/** A source of frames, each of which holds its number; it has as many as it is asked for, up to `most`. */
function numbered(most: number, failure: Error | null = null): Source {
  const source: Source = { stream: null as unknown as Readable, asked: 0 };
  function* frames(): Generator<Buffer> {
    while (source.asked < most) yield Buffer.alloc(BYTES, ++source.asked % 256);
    if (failure) throw failure;
  }
  return Object.assign(source, { stream: Readable.from(frames(), { highWaterMark: 1 }) });
}

function streamOf(source: Readable, options: Partial<FrameStreamOptions> = {}, bytes = BYTES): FrameStream {
  return new FrameStream(
    source,
    {
      splitter: new RawSplitter(SIZE),
      decodedBytes: () => bytes,
      decode: (frame) => Promise.resolve(rgbImage(frame, SIZE)),
    },
    { name: "a stream", batch: 4, latest: false, onForeign: () => undefined, ...options },
  );
}

/** The numbers of the frames in each batch. */
async function batchesIn(stream: FrameStream): Promise<number[][]> {
  const batches: number[][] = [];
  for await (const batch of stream) {
    for (const decoded of batch) {
      if (!("image" in decoded)) throw decoded.error;
      expect(decoded.image.data[0]).toBe(decoded.item.frame % 256);
    }
    batches.push(batch.map(({ item }) => item.frame));
  }
  return batches;
}

test("all frames are handed out, in order, with their numbers, times and names", async () => {
  const began = new Date().toISOString();
  const stream = streamOf(numbered(MANY).stream);
  const [first] = (await stream[Symbol.asyncIterator]().next()).value as { item: object }[];
  expect(first!.item).toMatchObject({ frame: 1, image: "frame 1", picture: "frame-00000001.png" });
  const { time } = first!.item as { time: string };
  expect(new Date(time).toISOString()).toBe(time);
  expect(time >= began).toBe(true);
  const batches = await batchesIn(stream);
  const all = batches.flat();
  expect(all).toEqual(Array.from({ length: all.length }, (_, i) => MANY - all.length + 1 + i));
  expect(new Set(batches.map((batch) => batch.length)).size).toBeLessThanOrEqual(3); // 1, 2 and 4
  expect(stream.dropped).toBe(0);
});

test("nothing is read ahead of what has room: by number, and by bytes", async () => {
  for (const [bytes, most] of [
    [BYTES, 8],
    [30e6, 2],
    [100e6, 1],
  ] as const) {
    const source = numbered(MANY);
    const stream = streamOf(source.stream, {}, bytes);
    await pause(50);
    expect(stream.waiting).toBe(most);
    expect(source.asked).toBeLessThanOrEqual(most + 4); // what the source itself keeps
    expect((await batchesIn(stream)).flat()).toHaveLength(MANY);
  }
});

test("of frames that come faster than they are taken, the newest one is left, and the others are counted", async () => {
  const stream = streamOf(numbered(MANY).stream, { latest: true });
  const taken: number[] = [];
  for await (const batch of stream) {
    expect(batch).toHaveLength(1);
    taken.push(batch[0]!.item.frame);
    await pause(5);
  }
  expect(taken.at(-1)).toBe(MANY);
  expect(taken).toEqual([...new Set(taken)].sort((a, b) => a - b));
  expect(stream.dropped).toBe(MANY - taken.length);
  expect(stream.dropped).toBeGreaterThan(0);
});

test("a stream that fails has its frames handed out first", async () => {
  const failure = Object.assign(new Error("read"), { code: "EIO" });
  const stream = streamOf(numbered(3, failure).stream);
  const iterator = stream[Symbol.asyncIterator]();
  const frames: number[] = [];
  const rest = async () => {
    for (let next = await iterator.next(); !next.done; next = await iterator.next())
      frames.push(...next.value.map(({ item }) => item.frame));
  };
  await expect(rest()).rejects.toThrow("cannot read the frames on a stream: the disk reported an input/output error");
  expect(frames).toEqual([1, 2, 3]);
});

test("an end ends waiting, and leaves what waits", async () => {
  const silent = streamOf(new Readable({ read: () => undefined }));
  const waiting = batchesIn(silent);
  await pause(5);
  silent.end();
  expect(await waiting).toEqual([]);
  const source = numbered(MANY);
  const stream = streamOf(source.stream);
  for await (const batch of stream) {
    expect(batch.length).toBeGreaterThan(0);
    break;
  }
  expect(source.stream.destroyed).toBe(true);
  expect(await batchesIn(stream)).toEqual([]);
});

test("a frame that cannot be used has the reason in its place", async () => {
  const stream = streamOf(Readable.from([Buffer.alloc(BYTES + 1)]));
  const outcomes: string[] = [];
  for await (const batch of stream)
    outcomes.push(...batch.map((decoded) => ("error" in decoded ? decoded.error.message : decoded.item.image)));
  expect(outcomes).toEqual(["frame 1", "cannot read frame 2: it is cut off: the stream ended after 1 of its 6 bytes"]);
});
