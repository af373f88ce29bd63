import { mkdir, rename, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { Arrivals, identityOfArrival } from "../../src/cli/predict/arrivals.ts";
import { temporaryFolder } from "../harness/temporary.ts";

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

const names = (arrivals: readonly { path: string }[]) =>
  arrivals.map(({ path }) => path.slice(path.lastIndexOf("/") + 1));

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

test("a file waits until it has not changed for a while, whatever its time and the system's clock say", async () => {
  const at = await fresh("b");
  const clock = vi.spyOn(Date, "now");
  try {
    for (const [name, hours] of [
      ["past.png", -1],
      ["future.png", 1],
      ["far.png", 24 * 365],
    ] as const) {
      await put(at(name));
      await utimes(at(name), Date.now() / 1000 + 3600 * hours, Date.now() / 1000 + 3600 * hours);
    }
    const waiting = new Arrivals(at(), LONG, () => false, []);
    const none = waiting.next();
    const arrivals = new Arrivals(at(), SHORT, () => false, []);
    let hour = 0;
    clock.mockImplementation(() => 1000 * HOUR_AGO - 3_600_000 * hour++); // set back at every look
    expect(names(await arrivals.next())).toEqual(["far.png", "future.png", "past.png"]);
    waiting.end();
    expect(await none).toEqual([]); // old as one of them is, it may still be written to
  } finally {
    clock.mockRestore();
  }
});

test("what was told before is not told again, unless it has changed", async () => {
  const at = await fresh("d");
  await put(at("a.png"));
  await put(at("b.png"));
  const first = await new Arrivals(at(), SHORT, () => false, []).next();
  await put(at("b.png"), "longer");
  const again = new Arrivals(at(), SHORT, () => false, first.map(identityOfArrival));
  expect(names(await again.next())).toEqual(["b.png"]);
});

test("an end ends waiting, also for a folder that is gone", async () => {
  const at = await fresh("e");
  for (const isThere of [true, false]) {
    const arrivals = new Arrivals(at(), SHORT, () => false, []);
    const next = arrivals.next();
    arrivals.end();
    expect(await next).toEqual([]);
    if (isThere) await rm(at(), { recursive: true });
  }
});

test("a folder that is gone for a while is said once and waited for, and tells nothing again", async () => {
  const at = await fresh("f");
  await put(at("a.png"));
  const said: (string | null)[] = [];
  const gone = new Promise<void>((resolve) => {
    void (async () => {
      while (said.length === 0) await new Promise((next) => setTimeout(next, SHORT));
      setTimeout(resolve, 5 * SHORT); // it is listed some more times
    })();
  });
  const arrivals = new Arrivals(
    at(),
    SHORT,
    () => false,
    [],
    (reason) => said.push(reason),
  );
  expect(names(await arrivals.next())).toEqual(["a.png"]);
  const next = arrivals.next();
  await rename(at(), `${at()}-away`);
  await gone;
  await rename(`${at()}-away`, at());
  await put(at("b.png"));
  expect(names(await next)).toEqual(["b.png"]);
  expect(said).toEqual([`cannot read the folder ${at()}: it does not exist`, null]);
});

test("an image that was told and then forgotten comes again", async () => {
  const at = await fresh("g");
  await put(at("a.png"));
  const arrivals = new Arrivals(at(), SHORT, () => false, []);
  const [first] = await arrivals.next();
  arrivals.forget(identityOfArrival(first!));
  expect(await arrivals.next()).toEqual([first]);
});
