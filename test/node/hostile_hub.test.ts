// A hub that is broken, or means harm, and a cache that somebody else has prepared.
import { createHash } from "node:crypto";
import { link, lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { statedWeights } from "../../src/io/hub.ts";
import { repositoryOf } from "../../src/backbones/registry.ts";
import { cachedWeights, downloadWeights } from "../../src/node/hub.ts";
import { lockFile } from "../../src/node/files/lock.ts";
import { InputError } from "../../src/runtime/errors.ts";
import { temporaryFolder } from "../harness/temporary.ts";

const NETWORK = "efficientnet-b0";
const REPOSITORY = repositoryOf(NETWORK);
const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const CONTENTS = Buffer.from(Array.from({ length: 30_000 }, (_, i) => (i * 7919) >>> 5));
const SHA256 = createHash("sha256").update(CONTENTS).digest("hex");
const PATIENCE = 20_000; // milliseconds
const LITTLE_PATIENCE = 400; // with servers that are silent

type Role = (response: ServerResponse, path: string) => void;

const stated = (changes: object = {}): object => ({
  type: "file",
  path: "model.safetensors",
  oid: "a",
  size: CONTENTS.length,
  lfs: { oid: SHA256, size: CONTENTS.length, pointerSize: 1 },
  lastCommit: { id: COMMIT, title: "", date: "2023-01-01T00:00:00.000Z" },
  ...changes,
});
const says =
  (answer: unknown): Role =>
  (response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(answer));
  };
const sends =
  (body: Uint8Array | string, headers: Readonly<Record<string, string | number>> = {}, status = 200): Role =>
  (response) => {
    response.writeHead(status, { "content-type": "application/octet-stream", ...headers });
    response.end(body);
  };
const endless =
  (type: string): Role =>
  (response) => {
    response.writeHead(200, { "content-type": type });
    const more = (): boolean =>
      response.write(Buffer.alloc(1 << 16, "[")) && !response.destroyed && setImmediate(more) !== null;
    response.on("drain", more);
    more();
  };
const silent: Role = () => undefined;
const dripping: Role = (response) => {
  response.writeHead(200);
  const timer = setInterval(() => response.write("["), LITTLE_PATIENCE / 10);
  response.on("close", () => clearInterval(timer));
};

let roles: { list: Role; file: Role; elsewhere: Role };
let asked: string[] = [];
const server = createServer((request, response) => {
  const path = request.url!;
  asked.push(path);
  (path.startsWith("/api/")
    ? roles.list
    : path === `/${REPOSITORY}/resolve/${COMMIT}/model.safetensors`
      ? roles.file
      : roles.elsewhere)(response, path);
});
const other = createServer((_request, response) => sends(CONTENTS)(response, ""));
for (const one of [server, other]) await new Promise<void>((done) => one.listen(0, "127.0.0.1", done));
afterAll(() => {
  for (const one of [server, other]) {
    one.closeAllConnections();
    one.close();
  }
});
const [url, otherUrl] = [server, other].map((one) => `http://127.0.0.1:${(one.address() as AddressInfo).port}`) as [
  string,
  string,
];

const root = await temporaryFolder();
let serial = 0;
let place = "";
let cache = "";
const folder = (...names: string[]) => join(cache, "models--timm--tf_efficientnet_b0.aa_in1k", ...names);
const outside = (...names: string[]) => join(place, "outside", ...names);
const isSilent = (role: Role): boolean => role === silent || role === dripping;
const download = (to = url) =>
  downloadWeights(NETWORK, {
    url: to,
    cache,
    patience: [roles.list, roles.file].some(isSilent) ? LITTLE_PATIENCE : PATIENCE,
  });

beforeEach(async () => {
  place = join(root, `${serial++}`);
  cache = join(place, "cache");
  await mkdir(outside(), { recursive: true });
  await writeFile(outside("precious"), "as it was");
  asked = [];
  roles = { list: says([stated()]), file: sends(CONTENTS), elsewhere: sends(CONTENTS) };
});

async function bytesIn(path: string): Promise<number> {
  const names = await readdir(path, { recursive: true }).catch(() => []);
  const sizes = await Promise.all(
    names.map(async (name) => lstat(join(path, name)).then((found) => (found.isFile() ? found.size : 0))),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/**
 * It is refused in one sentence with a remedy; nothing outside of the cache is other than it was, and no more in it
 * than was stated.
 */
async function expectRefused(message: RegExp): Promise<void> {
  const error = await download().then(
    () => null,
    (error: unknown) => error as Error,
  );
  expect(error).toBeInstanceOf(InputError);
  expect(error!.message).toMatch(message);
  expect(error!.message.length).toBeLessThan(700);
  expect(await readdir(place)).toEqual(expect.arrayContaining(["outside"]));
  expect((await readdir(place)).filter((name) => name !== "cache" && name !== "outside")).toEqual([]);
  expect(await readdir(outside())).toEqual(["precious"]);
  expect(await readFile(outside("precious"), "utf8")).toBe("as it was");
  expect(await bytesIn(cache)).toBeLessThanOrEqual(CONTENTS.length);
}

describe("what the hub says of a file is checked before anything is done with it", () => {
  const file = (lfs: object, id: unknown = COMMIT) => [
    stated({ lfs: { oid: SHA256, size: CONTENTS.length, ...lfs }, lastCommit: { id } }),
  ];
  test.each<readonly [string, unknown, RegExp]>([
    [
      "a commit that climbs",
      file({}, "../../../outside"),
      /states the commit of .* as \.\.\/\.\.\/\.\.\/outside, expected 40 hexadecimal digits; name a file/,
    ],
    ["a commit that is a path from the root", file({}, "/tmp"), /states the commit/],
    ["a commit with NUL", file({}, `${COMMIT}\0`), /states the commit/],
    ["a commit with a line end", file({}, `${COMMIT}\n`), /states the commit/],
    ["a commit that is a list", file({}, [COMMIT]), /states the commit/],
    ["a commit of a million digits", file({}, "a".repeat(900_000)), /states the commit/],
    ["no commit", [stated({ lastCommit: null })], /states the commit of .* as nothing/],
    ["a hash that climbs", file({ oid: "../../../../outside/precious" }), /states the SHA-256/],
    ["a hash in capitals", file({ oid: SHA256.toUpperCase() }), /states the SHA-256/],
    ["a size below zero", file({ size: -1 }), /states the size .* as -1, expected 1 to/],
    ["a size of nothing", file({ size: 0 }), /states the size/],
    ["a size beyond any disk", file({ size: 1e15 }), /states the size/],
    ["a size in words", file({ size: "30000" }), /states the size/],
    [
      "another file",
      [stated({ path: "../model.safetensors" })],
      /has no model\.safetensors with a SHA-256 on the hub; name a file/,
    ],
    ["a file without a hash", [stated({ lfs: undefined })], /has no model\.safetensors with a SHA-256/],
    ["a list of nothing", [null, 1, "x"], /cannot reach the hub|has no/],
    ["no list", { error: "no" }, /cannot reach the hub .*; fetch its model\.safetensors where there is a network/],
  ])("%s", async (_, answer, message) => {
    roles.list = says(answer);
    await expectRefused(message);
    expect(asked).toHaveLength(1);
  });

  test("a list of many files, ours among them, is read", () => {
    const many = [...Array.from({ length: 100_000 }, (_, i) => ({ path: `../${i}` })), stated()];
    expect(statedWeights(REPOSITORY, many)).toEqual({ commit: COMMIT, sha256: SHA256, size: CONTENTS.length });
  });
});

describe("an answer that describes files", () => {
  test.each<readonly [string, Role, RegExp]>([
    ["without end", endless("application/json"), /more than the 1048576 bytes/],
    [
      "of a million files",
      sends(`[${'{"path":"a"},'.repeat(1_000_000)}null]`, { "content-type": "application/json" }),
      /more than the 1048576 bytes/,
    ],
    [
      "that unpacks to far more",
      sends(gzipSync(Buffer.alloc(20_000_000, " ")), {
        "content-type": "application/json",
        "content-encoding": "gzip",
      }),
      /more than the 1048576 bytes/,
    ],
    ["that never comes", silent, /less than 64 KiB in 0\.4 s/],
    ["that comes a byte at a time", dripping, /less than 64 KiB in 0\.4 s/],
    [
      "that is a page",
      sends("<!doctype html><h1>Sign in</h1>", { "content-type": "text/html" }),
      /cannot reach the hub/,
    ],
    [
      "that is an error of a megabyte",
      sends(JSON.stringify({ error: "x".repeat(900_000) }), { "content-type": "application/json" }, 500),
      /cannot reach the hub/,
    ],
    ["whose length is not its own", sends("[]", { "content-length": 3 }), /cannot reach the hub/],
    [
      "nested without end",
      sends("[".repeat(1_000_000), { "content-type": "application/json" }),
      /cannot reach the hub/,
    ],
    ["elsewhere", (response) => response.writeHead(307, { location: otherUrl }).end(), /sends on to http:\/\/127/],
  ])("%s is refused", async (_, role, message) => {
    roles.list = role;
    await expectRefused(message);
  });

  test("is followed to where a renamed repository is now", async () => {
    roles.list = (response, path) =>
      path.includes("moved")
        ? says([stated()])(response, path)
        : response.writeHead(307, { location: "/api/moved" }).end();
    expect((await readFile(await download())).equals(CONTENTS)).toBe(true);
  });
});

describe("a file", () => {
  const flipped = Buffer.from(CONTENTS.map((byte, i) => (i === 77 ? byte ^ 1 : byte)));
  test.each<readonly [string, Role, RegExp]>([
    ["of the right size with other bytes", sends(flipped), /SHA-256 .*, the hub states .*; it was removed, try again/],
    ["that never ends", endless("application/octet-stream"), /more than the 30000 bytes that were expected/],
    ["that says to be longer", sends(Buffer.alloc(40_000), { "content-length": 40_000 }), /40000 bytes, not 30000/],
    ["that says to be shorter", sends(Buffer.alloc(20), { "content-length": 20 }), /20 bytes, not 30000/],
    [
      "that is packed",
      sends(gzipSync(Buffer.alloc(20_000_000)), { "content-encoding": "gzip" }),
      /contents encoded as gzip/,
    ],
    [
      "that is a page",
      sends("<h1>Sign in</h1>", { "content-type": "text/html; charset=utf-8" }),
      /answered with text\/html; charset=utf-8 instead of the file .*proxy/,
    ],
    [
      "that is an error in JSON",
      sends("{}", { "content-type": "application/json" }),
      /answered with application\/json instead of/,
    ],
    ["that is not there", sends("", {}, 404), /answered 404 Not Found/],
    ["that never comes", silent, /less than 64 KiB in 0\.4 s/],
    ["that comes a byte at a time", dripping, /less than 64 KiB in 0\.4 s/],
    [
      "on another machine without https",
      (response) => response.writeHead(302, { location: `${otherUrl}/x` }).end(),
      /sends on to http:\/\/127.*where no hub's files are/,
    ],
    [
      "on this machine by its address",
      (response) => response.writeHead(302, { location: "https://127.0.0.1/x" }).end(),
      /sends on to https:\/\/127/,
    ],
    [
      "by another protocol",
      (response) => response.writeHead(302, { location: "file:///etc/passwd" }).end(),
      /sends on to file/,
    ],
    [
      "that is always elsewhere",
      (response, path) => response.writeHead(302, { location: `${path}?` }).end(),
      /sends on more than 5 times/,
    ],
    [
      "of another range",
      sends(CONTENTS, { "content-range": "bytes 5-30004/30005" }, 206),
      /the range bytes 5-30004\/30005, not bytes 0-29999\/30000/,
    ],
  ])("%s is refused", async (_, role, message) => {
    roles.file = role;
    roles.elsewhere = role;
    await expectRefused(message);
    expect(await cachedWeights(NETWORK, { cache })).toBeNull();
  });

  test("is followed to another path of the hub", async () => {
    roles.file = (response) => response.writeHead(302, { location: "/files/1" }).end();
    expect((await readFile(await download())).equals(CONTENTS)).toBe(true);
    expect(asked).toHaveLength(3);
  });
});

describe("a cache that somebody else has prepared", () => {
  test.each(["blobs", "refs", "snapshots", ""])(
    "with a link in the place of its folder %j is not written through",
    async (name) => {
      await mkdir(name === "" ? cache : folder(), { recursive: true });
      await symlink(outside(), folder(name));
      await expectRefused(
        /is a link, and would lead out of the hub's cache: remove it, or name another cache with HF_HOME/,
      );
    },
  );

  test("with a link in the place of a snapshot is not written through", async () => {
    await mkdir(folder("snapshots"), { recursive: true });
    await symlink(outside(), folder("snapshots", COMMIT));
    await expectRefused(/is a link/);
  });

  test.each([
    ["a link", symlink],
    ["a second name", link],
  ] as const)(
    "with %s of a file in the place of the download and of what it becomes harms neither",
    async (_, linked) => {
      await mkdir(folder("blobs"), { recursive: true });
      for (const name of [SHA256, `${SHA256}.incomplete`]) await linked(outside("precious"), folder("blobs", name));
      expect((await readFile(await download())).equals(CONTENTS)).toBe(true);
      expect(await readFile(outside("precious"), "utf8")).toBe("as it was");
      expect((await stat(folder("blobs", SHA256))).nlink).toBe(1);
    },
  );

  test("with a blob of the right size and other bytes is filled anew", async () => {
    await mkdir(folder("blobs"), { recursive: true });
    await writeFile(folder("blobs", SHA256), Buffer.alloc(CONTENTS.length));
    expect((await readFile(await download())).equals(CONTENTS)).toBe(true);
  });

  test("with damaged weights, or ones that lie elsewhere, has none to load", async () => {
    await download();
    await writeFile(folder("blobs", SHA256), Buffer.alloc(CONTENTS.length));
    await expect(cachedWeights(NETWORK, { cache })).rejects.toThrow(
      /is damaged, .*: remove it, and run "bigrid weights efficientnet-b0"$/,
    );
    const snapshot = folder("snapshots", COMMIT.replace("0", "f"));
    await mkdir(snapshot);
    await symlink(outside("precious"), join(snapshot, "model.safetensors"));
    await writeFile(folder("refs", "main"), COMMIT.replace("0", "f"));
    await expect(cachedWeights(NETWORK, { cache })).rejects.toThrow(/leads out of the hub's cache/);
    await writeFile(folder("refs", "main"), "../../../outside");
    expect(await cachedWeights(NETWORK, { cache })).toBeNull();
  });

  test("in which another process downloads the same is left alone", async () => {
    await mkdir(folder("blobs"), { recursive: true });
    const lock = await lockFile(folder("blobs", SHA256));
    await expect(download()).rejects.toThrow(/another bigrid is writing/);
    await lock.release();
    expect((await readFile(await download())).equals(CONTENTS)).toBe(true);
  });
});

test("an address of the hub that is none, or that holds a password, is refused without repeating the password", async () => {
  await expect(download("ftp://x")).rejects.toThrow(/^HF_ENDPOINT is ftp:\/\/x, expected an address such as https/);
  const attempt = download(url.replace("//", "//me:secret@"));
  await expect(attempt).rejects.toThrow(/leave them out/);
  await expect(attempt).rejects.not.toThrow(/secret/);
});
