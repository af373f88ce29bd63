// bigrid predict --watch, killed at moments that a random stream draws: nothing is lost, nothing comes twice.
import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, openSync, writeSync } from "node:fs";
import { copyFile, mkdir, readFile, rename, writeFile, readdir } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import { expect, test } from "vitest";
import { parseCsv } from "../../src/data/layouts/csv.ts";
import { writeSyntheticSet } from "../../src/node/synthetic.ts";
import { RandomStream } from "../../src/tensor/random.ts";
import { temporaryFolder } from "../harness/temporary.ts";
import { bigrid, PROGRAM, SHORT } from "./program.ts";

const folder = await temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);
await writeSyntheticSet(at("set"), { size: 64, train: 6, good: 3, defective: 1, seed: 2 });
await bigrid(["train", at("set", "weave"), "--out", at("run"), ...SHORT]);
const SOURCE = at("set", "weave", "test", "good", "000.png");

const WATCH = [
  "predict",
  at("run"),
  "--watch",
  at("in"),
  "--out",
  at("out"),
  "--coco",
  at("coco.json"),
  "--settle",
  "0.5",
  "--batch",
  "2",
];
const lines = async (path: string): Promise<string[]> =>
  (await readFile(path, "utf8").catch(() => "")).split("\n").slice(0, -1);
const journaled = async () => Math.max(0, (await lines(at("out", "predict.journal"))).length - 1);
const cocoImages = async () =>
  (JSON.parse(await readFile(at("coco.json"), "utf8")) as { images: { file_name: string }[] }).images.map(
    ({ file_name }) => file_name,
  );
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const start = (): ChildProcess => spawn(process.execPath, [PROGRAM, ...WATCH], { detached: true, stdio: "ignore" });
const ended = (child: ChildProcess) => new Promise<number | null>((resolve) => child.on("close", resolve));

/** Waits until so many images are done; the test's own limit ends it if they never are. */
async function until(done: number): Promise<void> {
  while ((await journaled()) < done) await pause(5);
}

const ROUNDS = 5;
const EACH = 6; // images that come in a round
const ALL = (ROUNDS + 1) * EACH;

test("killed five times and started again, every image is in every output, once", async () => {
  await mkdir(at("in", "sub"), { recursive: true });
  const bytes = await readFile(SOURCE);
  const delays = new RandomStream(7, 1).normals(ROUNDS, 1).map((x) => 40 * Math.abs(x)); // milliseconds
  let put = 0;
  /** Images in the ways in which they come: copied, renamed into the folder, written in two parts. */
  const bring = async (): Promise<void> => {
    for (let i = 0; i < EACH; i++, put++) {
      const path = at("in", i % 2 ? "sub" : ".", `${String(put).padStart(3, "0")}.png`);
      if (i % 3 === 0) await copyFile(SOURCE, path);
      else if (i % 3 === 1) {
        await copyFile(SOURCE, at("part"));
        await rename(at("part"), path);
      } else {
        const file = openSync(path, "w");
        writeSync(file, bytes.subarray(0, 100));
        writeSync(file, bytes.subarray(100));
        closeSync(file);
      }
    }
  };
  for (let round = 0; round < ROUNDS; round++) {
    const before = await journaled();
    const child = start();
    const end = ended(child);
    await bring();
    await until(before + 1 + (round % 3)); // in the middle of its work: more has come than that
    await pause(delays[round]!);
    // The program is a launcher and its child. Both are killed, or the launcher alone: its child must not go on.
    process.kill(round === 2 ? child.pid! : -child.pid!, "SIGKILL");
    await end;
  }
  const theirs = [
    at("in", "upload.part"),
    at("in", ".bigrid-0123456789abcdef-0.part"),
    at("out", "results.csv.7.part"),
  ];
  for (const path of theirs) await writeFile(path, "of somebody else");
  // As a kill in the middle of a write leaves it.
  for (const name of ["predict.journal", "results.csv", "results.jsonl"])
    await writeFile(at("out", name), '{"torn', { flag: "a" });
  const last = start();
  const end = ended(last);
  await bring(); // of these, it does some at least itself: when all are done, it listens to signals
  await until(ALL);
  process.kill(last.pid!, "SIGTERM");
  expect(await end).toBe(0);

  const results = (await lines(at("out", "results.jsonl"))).map(
    (line) => JSON.parse(line) as { image: string; verdict: string; heatMap: string },
  );
  const images = results.map(({ image }) => image).sort();
  expect(images).toHaveLength(ALL);
  expect(new Set(images).size).toBe(put);
  expect(results.every(({ verdict }) => verdict !== "unreadable")).toBe(true);
  expect(parseCsv(await readFile(at("out", "results.csv"), "utf8")).records.map(({ image }) => image)).toEqual(
    results.map(({ image }) => image),
  );
  expect(await cocoImages()).toEqual(results.map(({ image }) => relative(at("in"), image)));
  const left = [...(await readdir(at("."))), ...(await readdir(at("out"), { recursive: true }))];
  // what the killed ones were writing is gone, and nothing else
  expect(left.filter((name) => name.endsWith(".part"))).toEqual([basename(theirs[2]!)]);
  for (const path of theirs) expect(await readFile(path, "utf8")).toBe("of somebody else");
  for (const { heatMap } of results) expect((await readFile(heatMap)).length).toBeGreaterThan(0);

  // An image that is written anew under its name is a new one, and its pictures do not replace those of the first.
  const third = start();
  const thirdEnd = ended(third);
  await writeFile(at("in", "000.png"), Buffer.concat([bytes, Buffer.from("another")]));
  await until(ALL + 1);
  while ((await cocoImages()).length < ALL + 1) await pause(20); // kept current, not only at the end
  process.kill(third.pid!, "SIGTERM");
  expect(await thirdEnd).toBe(0);
  const again = JSON.parse((await lines(at("out", "results.jsonl"))).at(-1)!) as { image: string; heatMap: string };
  expect(again).toMatchObject({ image: at("in", "000.png"), heatMap: at("out", "heat", "000-2.png") });
});
