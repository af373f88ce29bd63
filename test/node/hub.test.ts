import { createHash } from "node:crypto";
import { mkdir, readFile, readlink, stat, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { repositoryOf, type PretrainedName } from "../../src/backbones/registry.ts";
import { encodeSafetensors } from "../../src/io/safetensors.ts";
import { cachedWeights, downloadWeights } from "../../src/node/hub.ts";
import { InputError } from "../../src/runtime/errors.ts";
import { temporaryFolder } from "../harness/temporary.ts";

const NETWORK = "efficientnet-b0";
const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const CONTENTS = Buffer.from(
  encodeSafetensors({
    tensors: new Map([
      [
        "layer.weight",
        { dtype: "U8", shape: [300_000], bytes: Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7919) >>> 5) },
      ],
    ]),
    metadata: {},
  }),
);
const SHA256 = createHash("sha256").update(CONTENTS).digest("hex");

/** Requests to the server, and its misbehaviour. */
interface Behaviour {
  /** Requests for the file are cut after as many bytes of the body; then no more. */
  cuts: number[];
  stated: { oid: string; size: number };
  ranges: boolean;
  status: number;
}
let behaviour: Behaviour;
let asked: string[] = [];

function answer(request: IncomingMessage, response: ServerResponse): void {
  asked.push(`${request.method} ${request.url} ${request.headers.range ?? ""}`.trim());
  if (request.method === "POST" && request.url === `/api/models/${repositoryOf(NETWORK)}/paths-info/main`) {
    const file = {
      type: "file",
      path: "model.safetensors",
      oid: "a",
      size: behaviour.stated.size,
      lfs: { ...behaviour.stated, pointerSize: 1 },
      lastCommit: { id: COMMIT, title: "", date: "2023-01-01T00:00:00.000Z" },
    };
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify([file]));
    return;
  }
  if (request.url !== `/${repositoryOf(NETWORK)}/resolve/${COMMIT}/model.safetensors` || behaviour.status !== 200) {
    response.statusCode = behaviour.status === 200 ? 404 : behaviour.status;
    response.end();
    return;
  }
  const from = behaviour.ranges ? Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0) : 0;
  const body = CONTENTS.subarray(from);
  response.statusCode = from > 0 ? 206 : 200;
  response.setHeader("content-length", body.length);
  const cut = behaviour.cuts.shift();
  if (cut === undefined) response.end(body);
  else response.write(body.subarray(0, cut), () => setTimeout(() => response.destroy(), 20));
}

const server = createServer({ keepAliveTimeout: 0 }, answer); // pauses of a busy machine are longer than the default
await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
afterAll(() => void server.close());
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const root = await temporaryFolder();
let serial = 0;

describe("downloadWeights", () => {
  let cache = "";
  beforeEach(() => {
    cache = join(root, `${serial++}`);
    asked = [];
    behaviour = { cuts: [], stated: { oid: SHA256, size: CONTENTS.length }, ranges: true, status: 200 };
  });
  const folder = () => join(cache, "models--timm--tf_efficientnet_b0.aa_in1k");
  const blob = () => join(folder(), "blobs", SHA256);
  const files = () => asked.filter((line) => line.startsWith("GET"));

  test("fills the hub's cache in its layout, and reports progress", async () => {
    const seen: number[] = [];
    expect(await cachedWeights(NETWORK, { cache })).toBeNull();
    const path = await downloadWeights(NETWORK, { url, cache, onProgress: ({ done }) => seen.push(done) });
    expect(path).toBe(join(folder(), "snapshots", COMMIT, "model.safetensors"));
    expect((await readFile(path)).equals(CONTENTS)).toBe(true);
    expect(await readlink(path)).toBe(join("..", "..", "blobs", SHA256));
    expect(await readFile(join(folder(), "refs", "main"), "utf8")).toBe(COMMIT);
    expect(await cachedWeights(NETWORK, { cache })).toMatchObject({ source: path, sha256: SHA256 });
    expect(seen.at(-1)).toBe(CONTENTS.length);
    expect(seen.every((done, i) => i === 0 || done >= seen[i - 1]!)).toBe(true);
  });

  test("ends when its signal says so, with the signal's reason, and goes on another time", async () => {
    const stop = new AbortController();
    const reason = new Error("enough");
    behaviour.cuts = [100_000];
    const stopped = downloadWeights(NETWORK, { url, cache, signal: stop.signal, onProgress: () => stop.abort(reason) });
    await expect(stopped).rejects.toBe(reason);
    expect(await downloadWeights(NETWORK, { url, cache })).toContain(COMMIT);
    await expect(cachedWeights(NETWORK, { cache, signal: stop.signal })).rejects.toBe(reason);
  });

  test("knows where each backbone's public weights are", async () => {
    expect(
      ["resnet18", "resnet50", "wide-resnet50-2", "efficientnet-b4"].map((name) =>
        repositoryOf(name as PretrainedName),
      ),
    ).toEqual([
      "timm/resnet18.tv_in1k",
      "timm/resnet50.tv_in1k",
      "timm/wide_resnet50_2.tv_in1k",
      "timm/tf_efficientnet_b4.aa_in1k",
    ]);
    await expect(downloadWeights("wide-resnet50-2", { url, cache })).rejects.toThrow("timm/wide_resnet50_2.tv_in1k");
    expect(asked).toEqual(["POST /api/models/timm/wide_resnet50_2.tv_in1k/paths-info/main"]);
  });

  test("downloads nothing twice", async () => {
    for (let i = 0; i < 2; i++) await downloadWeights(NETWORK, { url, cache });
    expect(files()).toHaveLength(1);
  });

  test("goes on where a connection was cut", async () => {
    behaviour.cuts = [100_000, 50_000];
    expect((await readFile(await downloadWeights(NETWORK, { url, cache }))).equals(CONTENTS)).toBe(true);
    expect(files()).toHaveLength(3);
    const starts = files()
      .slice(1)
      .map((line) => Number(/bytes=(\d+)-/.exec(line)![1]));
    expect(starts[0]).toBeGreaterThan(0);
    expect(starts[1]).toBeGreaterThan(starts[0]!);
  });

  test("goes on where the last run was ended", async () => {
    await mkdir(dirname(blob()), { recursive: true });
    await writeFile(`${blob()}.incomplete`, CONTENTS.subarray(0, 200_000));
    expect((await readFile(await downloadWeights(NETWORK, { url, cache }))).equals(CONTENTS)).toBe(true);
    expect(files()).toEqual([expect.stringContaining("bytes=200000-")]);
  });

  test("starts again where the server knows no ranges", async () => {
    behaviour.cuts = [100_000];
    behaviour.ranges = false;
    expect((await readFile(await downloadWeights(NETWORK, { url, cache }))).equals(CONTENTS)).toBe(true);
  });

  test("gives up after some cuts, keeps what there is and says how far it came", async () => {
    behaviour.cuts = [1000, 1000, 1000, 1000, 1000, 1000];
    const attempt = downloadWeights(NETWORK, { url, cache });
    await expect(attempt).rejects.toThrow(InputError);
    await expect(attempt).rejects.toThrow(/ended at \d+ of 300104 bytes \(.+\); run it again to go on/);
    expect((await stat(`${blob()}.incomplete`)).size).toBeGreaterThan(0);
    expect(await cachedWeights(NETWORK, { cache })).toBeNull();
  });

  test("removes a file that is not what the hub states", async () => {
    const stated = "0".repeat(64);
    behaviour.stated = { oid: stated, size: CONTENTS.length };
    await expect(downloadWeights(NETWORK, { url, cache })).rejects.toThrow(
      `what was downloaded as timm/tf_efficientnet_b0.aa_in1k/model.safetensors has SHA-256 ${SHA256}, the hub states ${stated}; it was removed, try again`,
    );
    expect(await stat(join(folder(), "blobs", `${stated}.incomplete`)).catch(() => null)).toBeNull();
    expect(await cachedWeights(NETWORK, { cache })).toBeNull();
  });

  test("says what the hub answers instead of the file", async () => {
    behaviour.status = 403;
    await expect(downloadWeights(NETWORK, { url, cache })).rejects.toThrow(
      /the hub answered 403 Forbidden for http:\/\/127\.0\.0\.1/,
    );
  });

  test("offline, says what to fetch and what to do with it", async () => {
    await expect(downloadWeights(NETWORK, { url: "http://127.0.0.1:9", cache })).rejects.toThrow(
      /^cannot reach the hub for timm\/tf_efficientnet_b0\.aa_in1k \(.+\); fetch its model\.safetensors where there is a network and give it as the option weights$/,
    );
  });
});
