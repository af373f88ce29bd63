// bigrid predict --frames as a user runs it: streams of frames have the results of the same pictures in files.
import { execFileSync, spawn, spawnSync, type ChildProcessWithoutNullStreams } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import sharp from "sharp";
import { beforeAll, describe, expect, test } from "vitest";
import { parseCsv } from "../../src/data/layouts/csv.ts";
import { writeSyntheticSet } from "../../src/node/synthetic.ts";
import { temporaryFolder } from "../harness/temporary.ts";
import { bigrid, PROGRAM } from "./program.ts";

const folder = await temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);
const RUN = at("run");
const STREAM = ["predict", RUN, "-", "--frames", "mjpeg"];
const SIZE = 64;

interface Line {
  readonly frame: number;
  readonly time: string;
  readonly image: string;
  readonly verdict: "good" | "defective" | "unreadable";
  readonly heatMap?: string;
  readonly mask?: string;
  readonly reason?: string;
}
const linesOf = (jsonl: string): Line[] =>
  jsonl
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line);

/** A frame's result without what tells it from a file's. */
const resultsIn = (jsonl: string): object[] =>
  linesOf(jsonl).map(({ frame: _1, time: _2, image: _3, heatMap: _4, mask: _5, ...result }) => result);

/** All test images as JPEGs, and what `predict` says of their files. */
const jpegs: Buffer[] = [];
let expected: object[] = [];
let good: Buffer;
let defective: Buffer;

beforeAll(async () => {
  await writeSyntheticSet(at("set"), { size: SIZE, train: 12, good: 3, defective: 2, seed: 2 });
  const weave = at("set", "weave");
  const trained = await bigrid(["train", weave, "--method", "patchcore", "--size", String(SIZE), "--out", RUN]);
  expect(trained.code).toBe(0);
  await mkdir(at("jpegs"));
  await mkdir(at("pngs"));
  const files = (await readdir(join(weave, "test"), { recursive: true })).filter((name) => name.endsWith(".png"));
  for (const [i, file] of files.sort().entries()) {
    const jpeg = await sharp(join(weave, "test", file))
      .jpeg({ quality: 97, chromaSubsampling: "4:4:4" })
      .toBuffer();
    jpegs.push(jpeg);
    await writeFile(at("jpegs", `${100 + i}.jpg`), jpeg);
    await writeFile(at("pngs", `${100 + i}.png`), await sharp(jpeg).png().toBuffer());
  }
  await bigrid(["predict", RUN, at("jpegs"), "--jsonl", at("f.jsonl"), "--heat", at("fh"), "--masks", at("fm")]);
  expected = resultsIn(await readFile(at("f.jsonl"), "utf8"));
  const verdicts = expected.map((result) => (result as Line).verdict);
  good = jpegs[verdicts.indexOf("good")]!;
  defective = jpegs[verdicts.indexOf("defective")]!;
});

interface Started {
  readonly child: ChildProcessWithoutNullStreams;
  /** Its output so far. */
  readonly said: { stdout: string; stderr: string };
  readonly end: Promise<number | null>;
}

/** Starts `predict` with frames that come as they are written. */
function start(words: readonly string[]): Started {
  const child = spawn(process.execPath, [PROGRAM, ...words]);
  const said = { stdout: "", stderr: "" };
  child.stdin.on("error", () => undefined); // it may end before it has read that
  child.stdout.on("data", (data: Buffer) => (said.stdout += data.toString()));
  child.stderr.on("data", (data: Buffer) => (said.stderr += data.toString()));
  return { child, said, end: new Promise((resolve) => child.on("close", resolve)) };
}

/** Waits until so many lines were printed; the test's own limit ends it if they never are. */
async function printed({ said }: Started, count: number): Promise<Line[]> {
  while (linesOf(said.stdout).length < count) await pause(5);
  return linesOf(said.stdout);
}

/** The last of the lines that are no progress. */
const lastLine = (stderr: string): string => stderr.trimEnd().split("\n").at(-1)!;

describe("results", () => {
  test("of JPEG frames are those of the same files, to the bit, with their pictures; in batches or alone", async () => {
    expect(expected).toHaveLength(jpegs.length);
    for (const batch of ["1", "8"]) {
      const outputs = [
        "--heat",
        at("h", batch),
        "--masks",
        at("m", batch),
        "--jsonl",
        at("s.jsonl"),
        "--csv",
        at("s.csv"),
      ];
      const { code, stdout, stderr } = await bigrid(
        [...STREAM, "--batch", batch, ...outputs],
        {},
        Buffer.concat(jpegs),
      );
      expect([code, resultsIn(stdout)]).toEqual([0, expected]);
      expect(await readFile(at("s.jsonl"), "utf8")).toBe(stdout);
      const lines = linesOf(stdout);
      expect(lines.map(({ frame }) => frame)).toEqual(jpegs.map((_, i) => i + 1));
      expect(lines.map(({ time }) => time)).toEqual(lines.map(({ time }) => new Date(time).toISOString()).sort());
      for (const [i, { image, heatMap, mask }] of lines.entries()) {
        expect([image, heatMap]).toEqual([
          `frame ${i + 1}`,
          at("h", batch, `frame-${String(i + 1).padStart(8, "0")}.png`),
        ]);
        expect(await readFile(heatMap!)).toEqual(await readFile(at("fh", `${100 + i}.jpg.png`)));
        expect(await readFile(mask!)).toEqual(await readFile(at("fm", `${100 + i}.jpg.png`)));
      }
      const { columns, records } = parseCsv(await readFile(at("s.csv"), "utf8"));
      expect(columns.slice(0, 4)).toEqual(["frame", "time", "image", "verdict"]);
      expect(records.map(({ frame, time, verdict }) => ({ frame: Number(frame), time, verdict }))).toEqual(
        lines.map(({ frame, time, verdict }) => ({ frame, time, verdict })),
      );
      expect(stderr).toMatch(new RegExp(`^${jpegs.length} frames in \\d+\\.\\d s, .* frames/s: \\d defective$`, "m"));
    }
    const again = await bigrid([...STREAM, "--csv", at("s.csv")], {}, jpegs[0]);
    expect(again.stderr).toContain(`${at("s.csv")} of an earlier prediction is replaced`);
  });

  test("of raw frames are those of pictures with these pixels", async () => {
    await bigrid(["predict", RUN, at("pngs"), "--jsonl", at("p.jsonl")]);
    const raw = await Promise.all(jpegs.map((jpeg) => sharp(jpeg).removeAlpha().raw().toBuffer()));
    const words = ["predict", RUN, "-", "--frames", `${SIZE}x${SIZE}`];
    const { code, stdout } = await bigrid(words, {}, Buffer.concat(raw));
    expect([code, resultsIn(stdout)]).toEqual([0, resultsIn(await readFile(at("p.jsonl"), "utf8"))]);
    const cut = await bigrid(words, {}, Buffer.concat([raw[0]!, raw[1]!.subarray(5)]));
    expect([cut.code, resultsIn(cut.stdout)[0]]).toEqual([0, resultsIn(stdout)[0]]);
    expect(linesOf(cut.stdout)[1]!.reason).toMatch(/^cannot read frame 2: it is cut off: the stream ended after /);
  });

  test("of a webcam's JPEGs, which leave out the usual tables, are those of JPEGs that have them", async () => {
    const usual = await sharp(defective).jpeg({ optimiseCoding: false }).toBuffer();
    const bare = withoutTables(usual);
    expect(bare.length).toBeLessThan(usual.length - 400);
    const { stdout } = await bigrid(STREAM, {}, Buffer.concat([usual, bare]));
    const [whole, other] = resultsIn(stdout);
    expect(other).toEqual(whole);
    expect(whole).toMatchObject({ verdict: "defective" });
  });
});

/** A JPEG without its segments of Huffman tables. */
function withoutTables(jpeg: Buffer): Buffer {
  const parts: Buffer[] = [jpeg.subarray(0, 2)];
  for (let at = 2; ;) {
    const code = jpeg[at + 1]!;
    const end = code === 0xda ? jpeg.length : at + 2 + jpeg.readUInt16BE(at + 2);
    if (code !== 0xc4) parts.push(jpeg.subarray(at, end));
    if (code === 0xda) return Buffer.concat(parts);
    at = end;
  }
}

describe("as they come", () => {
  test("each frame has its line before the next one comes; a signal ends it, and the exit code tells of a defect", async () => {
    const started = start([...STREAM, "--fail-on-defect"]);
    for (const [i, frame] of [good, defective, good].entries()) {
      started.child.stdin.write(frame);
      expect(await printed(started, i + 1)).toHaveLength(i + 1);
    }
    started.child.kill("SIGINT");
    expect(await started.end).toBe(3);
    expect(started.said.stderr).toContain("SIGINT: ending after the frames that are being inspected");
    expect(lastLine(started.said.stderr)).toMatch(/^3 frames in .*: 1 defective$/);
  });

  test("a signal before the first frame ends it too", async () => {
    const started = start(STREAM);
    while (!started.said.stderr.includes("reading JPEG frames from standard input; Ctrl-C ends it")) await pause(5);
    started.child.kill("SIGTERM");
    expect(await started.end).toBe(0);
    expect(started.said.stdout).toBe("");
  });

  test("of a burst, all are inspected in order; with --latest the newest is, and the others are counted", async () => {
    const many = Array.from({ length: 60 }, (_, i) => jpegs[i % jpegs.length]!);
    const all = await bigrid(STREAM, {}, Buffer.concat(many));
    expect(linesOf(all.stdout).map(({ frame }) => frame)).toEqual(many.map((_, i) => i + 1));
    const { code, stdout, stderr } = await bigrid([...STREAM, "--latest"], {}, Buffer.concat(many));
    const frames = linesOf(stdout).map(({ frame }) => frame);
    expect(frames.at(-1)).toBe(many.length);
    expect(frames).toEqual([...new Set(frames)].sort((a, b) => a - b));
    expect(lastLine(stderr)).toContain(`; ${many.length - frames.length} dropped for newer ones`);
    expect(frames.length).toBeLessThan(many.length);
    expect(code).toBe(0);
    expect(resultsIn(stdout).at(-1)).toEqual(resultsIn(all.stdout).at(-1));
  });

  test("lines that nobody reads any more end it quietly", async () => {
    const started = start(STREAM);
    started.child.stdin.write(jpegs[0]);
    await printed(started, 1);
    started.child.stdout.destroy();
    for (const jpeg of jpegs) started.child.stdin.write(jpeg);
    expect(await started.end).toBe(141);
    expect(started.said.stderr).not.toContain("bigrid:");
  });
});

describe("what goes wrong", () => {
  test("foreign bytes, a frame that is cut off and one that is damaged cost nothing but themselves", async () => {
    const header = Buffer.from("--frame\r\nContent-Type: image/jpeg\r\n\r\n");
    const cut = jpegs[1]!.subarray(0, 700);
    const damaged = Buffer.from(jpegs[2]!);
    damaged[4 + damaged.readUInt16BE(4)] = 0x41; // its second segment's marker
    const stream = Buffer.concat([header, jpegs[0]!, header, cut, jpegs[1]!, damaged, header, jpegs[2]!, cut]);
    const { code, stdout, stderr } = await bigrid([...STREAM, "--jsonl", at("w.jsonl")], {}, stream);
    const lines = linesOf(stdout);
    expect(lines.map(({ frame }) => frame)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(lines.filter(({ verdict }) => verdict === "unreadable").map(({ frame, reason }) => [frame, reason])).toEqual(
      [2, 4, 6].map((frame) => [frame, `cannot read frame ${frame}: the image is cut off or damaged`]),
    );
    const alone = await bigrid(STREAM, {}, Buffer.concat(jpegs.slice(0, 3)));
    expect([0, 2, 4].map((i) => resultsIn(stdout)[i])).toEqual(resultsIn(alone.stdout));
    expect(code).toBe(0);
    expect(await readFile(at("w.jsonl"), "utf8")).toBe(stdout);
    const said = stderr.split("\n");
    expect(said.filter((line) => line.endsWith("is skipped"))).toEqual([
      "what lies between the frames and is no JPEG is skipped",
    ]);
    expect(said.filter((line) => line.startsWith("skipped: cannot read frame"))).toHaveLength(3);
    expect(lastLine(stderr)).toMatch(/^6 frames in .*, 3 unreadable; \d+ bytes that are no JPEG skipped$/);
    const strict = await bigrid([...STREAM, "--strict", "--batch", "1"], {}, stream);
    expect([strict.code, linesOf(strict.stdout).length, lastLine(strict.stderr)]).toEqual([
      1,
      1,
      "bigrid: cannot read frame 2: the image is cut off or damaged",
    ]);
  });

  test.each([
    ["nothing", "", "bigrid: there were no frames: the stream ended after 0 bytes; "],
    [
      "no JPEG",
      "what ffmpeg does not write",
      "bigrid: there were no frames: the stream ended after 26 bytes that are no JPEG; ",
    ],
    ["one frame, cut off", "\xff\xd8\xff\xe0", "bigrid: none of the 1 frames could be read"],
  ])("a stream of %s is an error of one line", async (_, stream, message) => {
    const { code, stdout, stderr } = await bigrid(STREAM, {}, Buffer.from(stream, "latin1"));
    expect([code, linesOf(stdout).length]).toEqual([1, stream.startsWith("\xff") ? 1 : 0]);
    expect(lastLine(stderr)).toContain(message);
  });

  test("flags that do not go together are refused in one line", async () => {
    const refused: readonly (readonly [readonly string[], number, string])[] = [
      [
        ["predict", RUN, "--frames", "mjpeg"],
        1,
        "--frames reads one stream: name -, for standard input, in the place of images",
      ],
      [["predict", RUN, "-", "a.png", "--frames", "mjpeg"], 1, "in the place of - a.png"],
      [[...STREAM, "--json"], 1, "--frames and --json do not go together"],
      [[...STREAM, "--coco", at("x.json")], 1, "--frames and --coco do not go together"],
      [[...STREAM, "--shard", "1/2"], 1, "--frames and --shard do not go together"],
      [[...STREAM, "--jsonl", "/dev/stdout"], 1, "--frames prints to standard output, where /dev/stdout goes too"],
      [["predict", RUN, at("pngs"), "--latest"], 1, "--latest drops frames of a stream, which --frames names"],
      [
        ["predict", RUN, "-", "--frames", "h264"],
        2,
        "mjpeg is needed, or the size of raw rgb24 frames, such as 1280x720",
      ],
      [["predict", RUN, "-", "--frames", "9000x9000"], 2, "mjpeg is needed, or the size"],
      [
        ["predict", RUN, "-"],
        1,
        "it is an image, where a list of their names is needed; name the image's file instead, or read a stream of JPEGs with --frames mjpeg",
      ],
    ];
    for (const [words, code, message] of refused) {
      const outcome = await bigrid(words, {}, jpegs[0]);
      expect([outcome.code, outcome.stdout]).toEqual([code, ""]);
      expect(outcome.stderr).toContain(message);
    }
  });
});

const hasFfmpeg = spawnSync("ffmpeg", ["-version"]).status === 0;

describe.skipIf(!hasFfmpeg)("ffmpeg", () => {
  const FRAMES = 5;
  const film = (...form: string[]): string =>
    ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", `testsrc=size=96x64:rate=${FRAMES}:duration=1`, ...form, "-"].join(
      " ",
    );

  test.each([
    ["mjpeg", ["-f", "mjpeg"]],
    ["mjpeg", ["-f", "image2pipe", "-c:v", "mjpeg"]],
    ["96x64", ["-f", "rawvideo", "-pix_fmt", "rgb24"]],
  ])("writes --frames %s with %j", (form, words) => {
    const command = `${film(...words)} | "$0" "$1" predict "$2" - --frames ${form}`;
    const stdout = execFileSync("bash", ["-o", "pipefail", "-c", command, process.execPath, PROGRAM, RUN], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    expect(linesOf(stdout)).toHaveLength(FRAMES);
    expect(resultsIn(stdout).every((result) => (result as { width: number }).width === 96)).toBe(true);
  });
});
