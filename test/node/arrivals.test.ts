import { mkdir, rename, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Arrivals, identityOf } from "../../src/node/arrivals.ts";
import { temporaryFolder } from "../temporary.ts";

const folder = await temporaryFolder();
const LONG = 600_000; // milliseconds that no test waits for
const SHORT = 20;
const HOUR_AGO = Date.now() / 1000 - 3600;

/** A folder in which nothing has happened yet. */
async function fresh(name: string): Promise<(...names: string[]) => string> {
  await mkdir(join(folder, name));
  return (...names) => join(folder, name, ...names);
}

/** Writes a file as if an hour ago. */
async function put(path: string, contents = "x"): Promise<void> {
  await writeFile(path, contents);
  await utimes(path, HOUR_AGO, HOUR_AGO);
}

const names = (arrivals: readonly { path: string }[]) => arrivals.map(({ path }) => path.slice(path.lastIndexOf("/") + 1));

test("what is there comes first, then what comes, each once, in order; pictures that are written, and hidden files, do not", async () => {
  const at = await fresh("a");
  await mkdir(at("heat"));
  for (const name of ["b.png", "a.png", ".c.png", "d.txt", "heat/e.png"]) await put(at(name));
  const arrivals = new Arrivals(at(), SHORT, (path) => path.startsWith(at("heat")), []);
  expect(names(await arrivals.next())).toEqual(["a.png", "b.png"]);
  await mkdir(at("new"));
  await put(at("new", "f.jpg"));
  expect(names(await arrivals.next())).toEqual(["f.jpg"]);
  await put(at("g.jpg"));
  expect(names(await arrivals.next())).toEqual(["g.jpg"]);
});

test("a file that is being written waits; one that is renamed into the folder does not", async () => {
  const at = await fresh("b");
  await writeFile(at("growing.png"), "x"); // a moment ago
  await put(at("part.tmp"));
  const arrivals = new Arrivals(at(), LONG, () => false, []);
  const next = arrivals.next();
  await rename(at("part.tmp"), at("whole.png"));
  // It is asked again at half the time to settle, which is long: what is asked for now sees what has come.
  arrivals.end();
  await next;
  const now = new Arrivals(at(), LONG, () => false, []);
  expect(names(await now.next())).toEqual(["whole.png"]);
});

test("one whose clock is ahead comes when it has not changed for a while", async () => {
  const at = await fresh("c");
  await writeFile(at("future.png"), "x");
  await utimes(at("future.png"), HOUR_AGO + 7200, HOUR_AGO + 7200);
  expect(names(await new Arrivals(at(), SHORT, () => false, []).next())).toEqual(["future.png"]);
});

test("what was told before is not told again, unless it has changed", async () => {
  const at = await fresh("d");
  await put(at("a.png"));
  await put(at("b.png"));
  const first = await new Arrivals(at(), SHORT, () => false, []).next();
  await put(at("b.png"), "longer");
  const again = new Arrivals(at(), SHORT, () => false, first.map(identityOf));
  expect(names(await again.next())).toEqual(["b.png"]);
});

test("an end ends waiting, and a folder that is gone is an error", async () => {
  const at = await fresh("e");
  const arrivals = new Arrivals(at(), SHORT, () => false, []);
  const next = arrivals.next();
  arrivals.end();
  expect(await next).toEqual([]);
  await rm(at(), { recursive: true });
  await expect(new Arrivals(at(), SHORT, () => false, []).next()).rejects.toThrow("cannot read the folder");
});
