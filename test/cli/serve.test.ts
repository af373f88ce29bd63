// The inspection service in this process: its answers, every limit, and what hostile clients send.
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, describe, expect, test, vi } from "vitest";
import { Gate, isLoopback, readToken } from "../../src/cli/serve/gate.ts";
import type { ServeLimits } from "../../src/cli/serve/limits.ts";
import { openApi } from "../../src/cli/serve/openapi.ts";
import { batchSizes } from "../../src/node/inspection/batch_sizes.ts";
import { ImageQueue } from "../../src/cli/serve/queue.ts";
import { PARAMETERS, ROUTES } from "../../src/cli/serve/routes.ts";
import { ServedModel, type TaskResult } from "../../src/cli/serve/served_model.ts";
import { Service } from "../../src/cli/serve/server.ts";
import type { Detector } from "../../src/detection/detector.ts";
import { loadDetector, saveDetector } from "../../src/node/detector_file.ts";
import { openDevice } from "../../src/node/device.ts";
import { encodePng } from "../../src/node/images.ts";
import { AdapterError, InputError, OptionError } from "../../src/runtime/errors.ts";
import { device } from "../harness/device.ts";
import { madeUpDetector, madeUpPicture } from "../harness/made_up_detector.ts";
import { temporaryFolder } from "../harness/temporary.ts";
import { statusAndError, wire } from "./service.ts";

const folder = await temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);
await mkdir(at("part"));
await saveDetector(await madeUpDetector(device, 64, { decoder: "tiny" }), at("part"));

const pngOf = async (side: number, key: number): Promise<Uint8Array<ArrayBuffer>> => {
  const { data, width, height } = madeUpPicture(side, key);
  return new Uint8Array(await encodePng(data, width, height));
};
const PNG = await pngOf(64, 1);
const LARGE = await pngOf(140, 2);

const LIMITS: ServeLimits = {
  batch: 4,
  body: 200_000,
  pixels: 128 * 128,
  connections: 20,
  queue: 8,
  send: 5000,
  wait: 60_000,
};
const TOKEN = "0123456789abcdef-token";

const load = (name: string, open: () => Promise<Detector>): Promise<ServedModel> =>
  ServedModel.load({
    name,
    open,
    region: null,
    batch: LIMITS.batch,
    maxPixels: LIMITS.pixels,
    onNotice: (text) => notices.push(text),
  });
const notices: string[] = [];
const open = async (): Promise<Detector> => loadDetector(await openDevice(), at("part"));
const part = await load("part", open);
const other = await load("other", open);

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  for (const end of ends.splice(0)) await end();
});

interface Serving {
  readonly service: Service;
  readonly url: string;
  /** Lines about requests. */
  readonly log: readonly string[];
}

async function serve(
  limits: Partial<ServeLimits> = {},
  token: string | null = null,
  models: readonly ServedModel[] = [part, other],
): Promise<Serving> {
  const log: string[] = [];
  const host = "127.0.0.1";
  const service = await Service.listen({
    host,
    port: 0,
    gate: new Gate(host, token),
    limits: { ...LIMITS, ...limits },
    models,
    onRequest: (line) => log.push(line),
  });
  ends.push(() => service.end());
  return { service, url: service.address, log };
}

const post = (url: string, body: BodyInit, query = "", headers: Readonly<Record<string, string>> = {}) =>
  fetch(`${url}v1/inspect${query}`, {
    method: "POST",
    body,
    headers: body instanceof FormData ? headers : { "content-type": "image/png", ...headers },
  });

function formOf(files: readonly (readonly [name: string, bytes: Uint8Array])[]): FormData {
  const form = new FormData();
  for (const [name, bytes] of files) form.append("image", new Blob([new Uint8Array(bytes)]), name);
  return form;
}

/** The status and the error of an answer, which is one line of JSON. */
async function refused(answer: Response): Promise<readonly [status: number, error: string]> {
  const text = await answer.text();
  expect(text).toMatch(/^\{"error":"[^\n]+"\}\n$/);
  return [answer.status, (JSON.parse(text) as { error: string }).error];
}

interface Inspections {
  readonly images: readonly { image: string; score: number; verdict: string; heatMap?: string }[];
  readonly skipped: readonly { image: string; reason: string }[];
}
const inspected = async (answer: Response): Promise<Inspections> => {
  expect(answer.status).toBe(200);
  return (await answer.json()) as Inspections;
};

/** Holds a model's batches back until it is told to go on. */
function held(model: ServedModel): { readonly goOn: () => void; readonly begun: () => number } {
  const inspect = ServedModel.prototype.inspect.bind(model);
  let [begun, goOn] = [0, (): void => undefined];
  const gone = new Promise<void>((resolve) => (goOn = resolve));
  vi.spyOn(model, "inspect").mockImplementation(async (tasks): Promise<TaskResult[]> => {
    begun++;
    await gone;
    return inspect(tasks);
  });
  return { goOn, begun: () => begun };
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await pause(5);
}

describe("an inspection", () => {
  test("answers a plain body as it answers a form, and adds a heat map if that is asked for", async () => {
    const { url } = await serve();
    const plain = await inspected(await post(url, PNG));
    const form = await inspected(await post(url, formOf([["a.png", PNG]])));
    expect(plain.images).toMatchObject([{ image: "image" }]);
    expect(form.images).toEqual([{ ...plain.images[0], image: "a.png" }]);
    const { images } = await inspected(await post(url, PNG, "?heat=png&model=other"));
    expect({ ...images[0], heatMap: undefined }).toEqual({ ...plain.images[0], heatMap: undefined });
    expect(Buffer.from(images[0]!.heatMap!, "base64").subarray(1, 4).toString()).toBe("PNG");
  });

  test("keeps the order of a form's images, and skips those that cannot be used", async () => {
    const { url } = await serve();
    const sent = [
      ["2.png", await pngOf(64, 2)],
      ["cut.png", PNG.subarray(0, 300)],
      ["../../1.png", PNG],
      ["large.png", LARGE],
      ["3.png", await pngOf(90, 3)],
    ] as const;
    const { images, skipped } = await inspected(await post(url, formOf(sent)));
    expect(images.map(({ image }) => image)).toEqual(["2.png", "1.png", "3.png"]);
    expect(skipped).toEqual([
      { image: "cut.png", reason: "cannot read cut.png: the image is cut off or damaged" },
      { image: "large.png", reason: `cannot read large.png: it has more than ${LIMITS.pixels} pixels` },
    ]);
    for (const [name, bytes] of sent.filter(([name]) => /^\d/.test(name))) {
      const [alone] = (await inspected(await post(url, bytes))).images;
      expect(images.find(({ image }) => image === name)!.score, name).toBe(alone!.score);
    }
  });

  test("moves the verdict with the threshold", async () => {
    const { url } = await serve();
    const verdictAt = async (threshold: number): Promise<string> =>
      (await inspected(await post(url, PNG, `?threshold=${threshold}`))).images[0]!.verdict;
    expect(await verdictAt(1e-9)).toBe("defective");
    expect(await verdictAt(1 - 1e-9)).toBe("good");
  });

  test("judges by the class that is named, whatever else is in the batch", async () => {
    const { url } = await serve();
    const { bolt, nut } = part.config.calibration.classes as Readonly<Record<string, { threshold: number }>>;
    const answers = ["?class=bolt", "?class=nut", "?class=bolt&threshold=0.7", ""].map(async (query) => {
      const { threshold, images } = (await (await post(url, PNG, query)).json()) as Inspections & { threshold: number };
      return { threshold, score: images[0]!.score };
    });
    const [ofBolt, ofNut, higher, ofAny] = await Promise.all(answers);
    expect([ofBolt!.threshold, ofNut!.threshold]).toEqual([bolt!.threshold, nut!.threshold]);
    expect(bolt!.threshold).toBeLessThan(nut!.threshold);
    expect(higher!.threshold).toBeGreaterThan(bolt!.threshold);
    expect(ofAny!.threshold).toBe(part.config.calibration.threshold);
    expect(new Set([ofBolt, ofNut, higher, ofAny].map((one) => one!.score)).size).toBe(1);
    const { models } = (await (await fetch(`${url}v1/models`)).json()) as { models: { classes: string[] }[] };
    expect(models.map(({ classes }) => classes)).toEqual([
      ["bolt", "nut"],
      ["bolt", "nut"],
    ]);
  });

  test("takes what waits in batches of one model, and gives each client its own result", async () => {
    const { url, service } = await serve({ queue: 40 });
    const pictures = await Promise.all(Array.from({ length: 6 }, (_, i) => pngOf(64, i + 10)));
    const alone: number[] = [];
    for (const picture of pictures) alone.push((await inspected(await post(url, picture))).images[0]!.score);
    expect(new Set(alone).size).toBe(pictures.length);
    const { goOn, begun } = held(part);
    const first = [0, 1].map((i) => post(url, pictures[i]!));
    await until(() => begun() === 2);
    const rest = Array.from({ length: 12 }, (_, i) => post(url, pictures[i % 6]!, i % 2 ? "?model=other" : ""));
    await until(() => service.queue.length === 12);
    goOn();
    const answers = await Promise.all([...first, ...rest].map(async (answer) => inspected(await answer)));
    expect(answers.map(({ images }) => images[0]!.score)).toEqual([...alone.slice(0, 2), ...alone, ...alone]);
    const metrics = await (await fetch(`${url}metrics`)).text();
    // one by one: the six, and the two that were held; then six of each model: 4 and 2
    expect(metrics).toContain('bigrid_batch_images_bucket{le="1"} 8\n');
    expect(metrics).toContain('bigrid_batch_images_bucket{le="2"} 10\n');
    expect(metrics).toContain('bigrid_batch_images_bucket{le="4"} 12\n');
  });

  test.each([
    ["an image that is cut off", PNG.subarray(0, 300), "", 422, "cannot read image: the image is cut off or damaged"],
    [
      "a body that is no image",
      Buffer.from("hello"),
      "",
      422,
      "cannot read image: it is not an image of a known format",
    ],
    ["an empty body", new Uint8Array(0), "", 422, "cannot read image: the file is empty"],
    ["too many pixels", LARGE, "", 413, `cannot read image: it has more than ${LIMITS.pixels} pixels`],
    ["too many bytes", new Uint8Array(200_001), "", 413, "the body has more than 200000 bytes, which is the limit"],
    ["an unknown model", PNG, "?model=..%2Fpart", 404, "no model ../part is served, only part, other"],
    [
      "an unknown parameter",
      PNG,
      "?modle=part",
      400,
      "the parameter modle is unknown, only model, class, heat, threshold",
    ],
    ["an unknown class", PNG, "?class=screw", 400, "the model knows no class screw, only bolt, nut"],
    ["a class without a name", PNG, "?class=", 400, "the model knows no class (empty), only bolt, nut"],
    ["a parameter twice", PNG, "?heat=png&heat=none", 400, "the parameter heat is there twice"],
    ["a kind of heat map that is none", PNG, "?heat=jpeg", 400, "heat is png or none, not jpeg"],
    ["a threshold that is none", PNG, "?threshold=2", 400, "threshold is a number above 0 and below 1, not 2"],
  ] as const)("refuses %s", async (_, body, query, status, error) => {
    const { url } = await serve();
    expect(await refused(await post(url, new Uint8Array(body), query))).toEqual([status, error]);
    await inspected(await post(url, PNG));
  });

  test("says what is wrong with a model that fails on an image", async () => {
    const { url } = await serve();
    vi.spyOn(part, "inspect").mockResolvedValue([
      { result: { image: "image", verdict: "unreadable", reason: "its score is NaN" }, failure: "model" },
    ]);
    expect(await refused(await post(url, PNG))).toEqual([500, "its score is NaN"]);
  });
});

describe("a body", () => {
  test.each([
    ["of a form that is none", "text/plain", "x", 415, "the content type text/plain is not read"],
    ["without a content type", "", "x", 415, "the content type (none) is not read"],
    ["without a boundary", "multipart/form-data", "x", 400, "malformed multipart/form-data"],
    ["without any part", "multipart/form-data; boundary=b", "x", 400, "malformed multipart/form-data"],
    ["that is empty", "multipart/form-data; boundary=b", "--b--\r\n", 400, "the multipart/form-data has no file"],
    [
      "that ends within a part",
      "multipart/form-data; boundary=b",
      '--b\r\nContent-Disposition: form-data; name="f"; filename="a.png"\r\n\r\nabc',
      400,
      "malformed multipart/form-data",
    ],
    [
      "with a field",
      "multipart/form-data; boundary=b",
      '--b\r\nContent-Disposition: form-data; name="model"\r\n\r\npart\r\n--b--\r\n',
      400,
      "the form field model is not read: give options in the query",
    ],
    [
      "with a header of a part without an end",
      "multipart/form-data; boundary=b",
      `--b\r\nContent-Disposition: form-data; name="${"x".repeat(50_000)}"`,
      400,
      "malformed multipart/form-data",
    ],
  ] as const)("%s is refused", async (_, type, text, status, error) => {
    const { url } = await serve();
    const { answer } = wire(
      url,
      `POST /v1/inspect HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: ${text.length}\r\n${type && `Content-Type: ${type}\r\n`}\r\n${text}`,
    );
    const [found, words] = statusAndError(await answer);
    expect([found, words]).toEqual([status, expect.stringContaining(error)]);
  });

  test("of more images than may wait is refused", async () => {
    const { url } = await serve();
    const form = formOf(Array.from({ length: 9 }, (_, i) => [`${i}.png`, PNG.subarray(0, 100)] as const));
    expect(await refused(await post(url, form))).toEqual([413, "the body has more than 8 images, which is the limit"]);
  });

  test("without a stated length is cut at the limit, and not read on", async () => {
    const { url } = await serve();
    let chunks = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        chunks++;
        controller.enqueue(new Uint8Array(10_000));
      },
    });
    const request = { method: "POST", body: endless, duplex: "half", headers: { "content-type": "image/png" } };
    const answer = await fetch(`${url}v1/inspect`, request as RequestInit).catch(() => null);
    if (answer) expect((await refused(answer))[0]).toBe(413);
    await until(() => true);
    expect(chunks).toBeLessThan(20_000);
    await inspected(await post(url, PNG));
  });

  test("is only asked for where it will be read", async () => {
    const { url } = await serve();
    const head = (length: number): string =>
      `POST /v1/inspect HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`;
    const wanted = wire(url, head(PNG.length));
    await once(wanted.socket, "data");
    wanted.socket.write(PNG);
    expect(await wanted.answer).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
    expect(statusAndError(await wire(url, head(1e9)).answer)[0]).toBe(413);
  });

  test("packed by gzip is refused", async () => {
    const { url } = await serve();
    const [status, error] = await refused(await post(url, PNG, "", { "content-encoding": "gzip" }));
    expect([status, error]).toEqual([415, "the content encoding gzip is not read: send images plain"]);
  });
});

describe("a limit", () => {
  test("on the queue: 429 says when to come back, before the body is read, and what waits is answered", async () => {
    const { url, service } = await serve({ queue: 2 });
    const { goOn, begun } = held(part);
    const first = [post(url, PNG), post(url, PNG)];
    await until(() => begun() === 2);
    const waiting = post(url, PNG);
    await until(() => service.queue.length === 1);
    const tooMany = await post(
      url,
      formOf([
        ["a.png", PNG],
        ["b.png", PNG],
      ]),
    );
    expect(tooMany.headers.get("retry-after")).toMatch(/^[1-9]\d*$/);
    expect(await refused(tooMany)).toEqual([429, "the queue is full: 1 images wait; try again in 1 s"]);
    const last = post(url, PNG);
    await until(() => service.queue.length === 2);
    expect((await refused(await post(url, new Uint8Array(90_000))))[0]).toBe(429);
    goOn();
    for (const answer of [...first, waiting, last]) await inspected(await answer);
  });

  test("on waiting: 503, and the image waits no more", async () => {
    const { url, service } = await serve({ wait: 100 });
    const { goOn, begun } = held(part);
    const all = Array.from({ length: 4 }, () => post(url, PNG));
    await until(() => begun() === 2);
    for (const answer of all)
      expect(await refused(await answer)).toEqual([
        503,
        "no answer within 0.1 s: the service is busy, try again later",
      ]);
    expect(service.queue.length).toBe(0);
    goOn();
  });

  test("on slow senders, of the header and of the body: 408", async () => {
    const { url } = await serve({ send: 300 });
    const head = wire(url, "POST /v1/inspect HTTP/1.1\r\nHost: local");
    const body = wire(
      url,
      "POST /v1/inspect HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 1000\r\n\r\nabc",
    );
    expect(statusAndError(await body.answer)).toEqual([408, "the body did not arrive within 0.3 s"]);
    expect(statusAndError(await head.answer)).toEqual([408, "the request's header did not arrive within 0.3 s"]);
    await inspected(await post(url, PNG));
  });

  test("on connections: 503, and again served when one is closed", async () => {
    const { url } = await serve({ connections: 2 });
    const sockets = [wire(url, "GET"), wire(url, "GET")];
    const get = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    await pause(50);
    expect(statusAndError(await wire(url, get).answer)).toEqual([
      503,
      "more than 2 connections are open, which is the limit",
    ]);
    for (const { socket, answer } of sockets) {
      socket.destroy();
      await answer;
    }
    await pause(50);
    expect(await wire(url, get).answer).toMatch(/^HTTP\/1\.1 200 OK/);
  });

  test("on memory for bodies: a body waits for room, and is read when there is some", async () => {
    const { url, service } = await serve({ wait: 60_000 });
    const releaseAll = await service.room.take(256e6);
    const waiting = post(url, PNG);
    await pause(100);
    expect(service.queue.length).toBe(0);
    releaseAll();
    await inspected(await waiting);
    expect(service.room.inFlight).toBe(0);
  });
});

describe("who may ask", () => {
  const get = (host: string, more = ""): string =>
    `GET /v1/models HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${more}\r\n`;

  test("another host's name, as a rebound domain has it, is refused", async () => {
    const { url } = await serve();
    for (const host of ["localhost", "LOCALHOST:1", "127.0.0.1:8080", "[::1]:8080"])
      expect(await wire(url, get(host)).answer, host).toMatch(/^HTTP\/1\.1 200 OK/);
    for (const host of ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8080", "0.0.0.0"])
      expect(statusAndError(await wire(url, get(host)).answer), host).toEqual([
        403,
        `the host ${host} is not served here, only localhost, 127.0.0.1, [::1]`,
      ]);
  });

  test("a page of another site is refused, and no answer allows one", async () => {
    const { url } = await serve();
    expect(await wire(url, get("localhost", "Origin: http://localhost\r\n")).answer).toMatch(/^HTTP\/1\.1 200 OK/);
    for (const origin of ["http://evil.example", "null", "http://localhost:1", "file://"])
      expect(statusAndError(await wire(url, get("localhost", `Origin: ${origin}\r\n`)).answer)[0], origin).toBe(403);
    for (const path of Object.keys(ROUTES))
      expect([...(await fetch(url.slice(0, -1) + path)).headers.keys()].join()).not.toContain("access-control");
  });

  test("without the token only the open paths answer", async () => {
    const { url } = await serve({}, TOKEN);
    const statusOf = async (path: string, authorization?: string): Promise<number> =>
      (await fetch(url.slice(0, -1) + path, authorization === undefined ? {} : { headers: { authorization } })).status;
    for (const [path, { isOpen, method }] of Object.entries(ROUTES)) {
      expect(await statusOf(path), path).toBe(isOpen ? 200 : 401);
      if (method === "GET") expect(await statusOf(path, `Bearer ${TOKEN}`), path).toBe(200);
    }
    for (const wrong of [TOKEN, `Bearer ${TOKEN}x`, `Bearer ${TOKEN.slice(0, -1)}`, "Bearer ", `Basic ${TOKEN}`])
      expect(await statusOf("/v1/models", wrong), wrong).toBe(401);
    await inspected(await post(url, PNG, "", { authorization: `bearer ${TOKEN}` }));
    const answer = await post(url, PNG, "", { authorization: "Bearer wrong" });
    expect(answer.headers.get("www-authenticate")).toBe("Bearer");
    expect(await refused(answer)).toEqual([401, 'the token is wrong: send the header "Authorization: Bearer TOKEN"']);
  });

  test("other machines need a token, which is a secret one", async () => {
    expect(["127.0.0.1", "127.1.2.3", "::1", "localhost"].filter(isLoopback)).toHaveLength(4);
    expect(["0.0.0.0", "::", "192.168.1.1", "127.example", "example.org"].filter(isLoopback)).toEqual([]);
    expect(await readToken("127.0.0.1", undefined)).toBeNull();
    await expect(readToken("0.0.0.0", undefined)).rejects.toThrow(OptionError);
    for (const [text, isToken] of [
      [`${TOKEN}\n`, true],
      ["short", false],
      ["", false],
      [`${TOKEN} ${TOKEN}`, false],
    ] as const) {
      await writeFile(at("token"), text);
      if (isToken) expect(await readToken("0.0.0.0", at("token"))).toBe(TOKEN);
      else await expect(readToken("0.0.0.0", at("token")), text).rejects.toThrow(InputError);
    }
  });
});

describe("hostile clients", () => {
  test.each([
    ["a path to a file", "GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404],
    ["a coded path", "GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404],
    ["a name of every object", "GET /__proto__ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404],
    ["two slashes", "GET // HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404],
    ["another method", "DELETE /v1/inspect HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 405],
    ["no HTTP", "hello\r\n\r\n", 400],
    ["a header without end", `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(40_000)}`, 431],
    [
      "chunks that are none",
      "POST /v1/inspect HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
      400,
    ],
    [
      "two lengths",
      "POST /v1/inspect HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      400,
    ],
  ] as const)("%s: refused, and served on", async (_, text, status) => {
    const { url } = await serve();
    expect(statusAndError(await wire(url, text).answer)[0]).toBe(status);
    await inspected(await post(url, PNG));
  });

  test("that leave, while they send or while they wait, leave nothing behind", async () => {
    const { url, service, log } = await serve();
    const { goOn, begun } = held(part);
    const head = "POST /v1/inspect HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n";
    const sending = wire(url, `${head}Content-Length: 1000\r\n\r\nabc`);
    const waiting = Array.from({ length: 4 }, () =>
      wire(url, Buffer.concat([Buffer.from(`${head}Content-Length: ${PNG.length}\r\n\r\n`), PNG])),
    );
    await until(() => begun() === 2 && service.queue.length === 2 && service.room.inFlight > 1000);
    for (const { socket } of [sending, ...waiting]) socket.destroy();
    await until(() => log.length === 5);
    expect(log.every((line) => /^POST \/v1\/inspect 499 \d+ ms$/.test(line))).toBe(true);
    expect(service.queue.length).toBe(0);
    goOn();
    await service.queue.idle();
    expect(service.room.inFlight).toBe(0);
    await inspected(await post(url, PNG));
  });

  test("cannot make a line of the log of their own", async () => {
    const { url, log } = await serve();
    await wire(url, `GET /${"x".repeat(500)}?secret=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`).answer;
    expect(log).toHaveLength(1);
    expect(log[0]).toMatch(/^GET \/x+\.\.\.x+ 404 \d+ ms$/);
    expect(log[0]!.length).toBeLessThan(120);
  });
});

describe("a lost device", () => {
  /** A model whose detectors are kept, and that cannot be opened while `isBroken`. */
  async function losable(): Promise<{ model: ServedModel; detectors: Detector[]; state: { isBroken: boolean } }> {
    const detectors: Detector[] = [];
    const state = { isBroken: false };
    const model = await load("losable", async () => {
      if (state.isBroken) throw new AdapterError("there is no adapter any more");
      detectors.push(await open());
      return detectors.at(-1)!;
    });
    ends.push(() => model.close());
    return { model, detectors, state };
  }

  test("is replaced, and the request answered by the new one", async () => {
    const { model, detectors } = await losable();
    const { url } = await serve({}, null, [model]);
    const before = await inspected(await post(url, PNG));
    detectors[0]!.device.destroy();
    expect(await inspected(await post(url, PNG))).toEqual(before);
    expect(detectors).toHaveLength(2);
    expect(notices.at(-1)).toMatch(/^losable: .*; going on with 4 images at a time on a new device$/);
    expect(await (await fetch(`${url}metrics`)).text()).toContain('bigrid_devices_replaced_total{model="losable"} 1\n');
  });

  test("that cannot be replaced is 503, until it can", async () => {
    const { model, detectors, state } = await losable();
    const { url } = await serve({}, null, [model]);
    const before = await inspected(await post(url, PNG));
    state.isBroken = true;
    detectors[0]!.device.destroy();
    for (let i = 0; i < 2; i++) {
      const answer = await post(url, PNG);
      expect(answer.headers.get("retry-after")).toBe("1");
      expect(await refused(answer)).toEqual([
        503,
        "the model losable cannot inspect now: there is no adapter any more",
      ]);
    }
    state.isBroken = false;
    expect(await inspected(await post(url, PNG))).toEqual(before);
  });
});

describe("the end", () => {
  test("answers what was taken, refuses what comes, and closes", async () => {
    const { service, url } = await serve();
    const { goOn, begun } = held(part);
    const taken = Array.from({ length: 4 }, () => post(url, PNG));
    await until(() => begun() === 2 && service.queue.length === 2);
    const kept = wire(url, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await once(kept.socket, "data");
    let isOver = false;
    const end = service.end().then(() => (isOver = true));
    await pause(50);
    expect(isOver).toBe(false);
    await expect(fetch(`${url}health`)).rejects.toThrow();
    goOn();
    for (const answer of taken) {
      await inspected(await answer);
      expect((await answer).headers.get("connection")).toBe("close");
    }
    await end;
    await kept.answer;
  });
});

describe("the documents", () => {
  interface Schema {
    readonly $ref?: string;
    readonly type?: string;
    readonly required?: readonly string[];
    readonly properties?: Readonly<Record<string, Schema>>;
    readonly items?: Schema;
    readonly enum?: readonly unknown[];
    readonly const?: unknown;
  }
  interface OpenApi {
    readonly openapi: string;
    readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
    readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
  }
  interface Operation {
    readonly operationId: string;
    readonly security?: readonly unknown[];
    readonly parameters?: readonly { readonly name: string }[];
    readonly responses: Readonly<Record<string, { readonly content: Readonly<Record<string, { schema: Schema }>> }>>;
  }
  const { openapi, paths, components } = openApi(LIMITS) as OpenApi;

  /** The first way in which a value is not as a schema has it; null if it is. */
  function problemOf(value: unknown, schema: Schema, where = "$"): string | null {
    if (schema.$ref) return problemOf(value, components.schemas[schema.$ref.split("/").at(-1)!]!, where);
    if (schema.enum && !schema.enum.includes(value)) return `${where} is none of its values`;
    if ("const" in schema && schema.const !== value) return `${where} is another value`;
    const kinds: Readonly<Record<string, boolean>> = {
      string: typeof value === "string",
      number: typeof value === "number",
      integer: Number.isInteger(value),
      boolean: typeof value === "boolean",
      array: Array.isArray(value),
      object: typeof value === "object" && value !== null && !Array.isArray(value),
    };
    if (!kinds[schema.type!]) return `${where} is no ${schema.type}`;
    if (schema.type === "array")
      return (
        (value as unknown[]).map((one, i) => problemOf(one, schema.items!, `${where}[${i}]`)).find(Boolean) ?? null
      );
    if (schema.type !== "object" || !schema.properties) return null;
    const object = value as Readonly<Record<string, unknown>>;
    for (const name of schema.required ?? []) if (!(name in object)) return `${where}.${name} is missing`;
    for (const [name, one] of Object.entries(object)) {
      const known = schema.properties[name];
      const problem = known ? problemOf(one, known, `${where}.${name}`) : `${where}.${name} is unknown`;
      if (problem) return problem;
    }
    return null;
  }

  test("openapi.json has every path that is served, and no other, with its parameters and answers", async () => {
    const { url } = await serve();
    expect(await (await fetch(`${url}openapi.json`)).json()).toEqual(openApi(LIMITS));
    expect(openapi).toBe("3.1.0");
    const found = Object.entries(paths).map(([path, methods]) => [path, Object.keys(methods)]);
    expect(found).toEqual(Object.entries(ROUTES).map(([path, { method }]) => [path, [method.toLowerCase()]]));
    const operations = Object.values(paths).flatMap((methods) => Object.values(methods));
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
    expect(paths["/v1/inspect"]!["post"]!.parameters!.map(({ name }) => name)).toEqual([...PARAMETERS]);
    const references = [...JSON.stringify(paths).matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, name]) => name!);
    expect(references.filter((name) => !(name in components.schemas))).toEqual([]);
  });

  test("what is answered is as openapi.json has it", async () => {
    const { url } = await serve();
    for (const [path, methods] of Object.entries(paths)) {
      const answer = methods["get"]
        ? await fetch(url.slice(0, -1) + path)
        : await post(
            url,
            formOf([
              ["a.png", PNG],
              ["b.png", PNG.subarray(0, 99)],
            ]),
            "?heat=png&threshold=0.001",
          );
      const [[type, { schema }]] = Object.entries(Object.values(methods)[0]!.responses["200"]!.content) as [
        [string, { schema: Schema }],
      ];
      expect(answer.status, path).toBe(200);
      expect(answer.headers.get("content-type"), path).toContain(type);
      expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
      const text = await answer.text();
      const value: unknown = type === "application/json" ? JSON.parse(text) : text;
      expect(problemOf(value, schema), path).toBeNull();
    }
    const { status } = await post(url, PNG, "?heat=no");
    expect(Object.keys(paths["/v1/inspect"]!["post"]!.responses)).toContain(String(status));
    expect(problemOf({ images: [] }, components.schemas["Inspections"]!)).toBe("$.threshold is missing");
  });

  test("the page has a policy that allows its own script alone", async () => {
    const { url } = await serve();
    const answer = await fetch(url);
    const policy = answer.headers.get("content-security-policy")!;
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("connect-src 'self'");
    expect(policy).toMatch(/script-src 'sha256-[^']+';/);
    expect(await answer.text()).not.toMatch(/https?:\/\//);
  });

  test("metrics count requests, images and batches, in Prometheus' format", async () => {
    const { url } = await serve();
    await post(
      url,
      formOf([
        ["a.png", PNG],
        ["b.png", PNG.subarray(0, 99)],
      ]),
      "?threshold=0.999999999",
    );
    await post(url, PNG, "?model=none");
    await fetch(`${url}what`);
    const text = await (await fetch(`${url}metrics`)).text();
    const lines = text.trimEnd().split("\n");
    const sample = /^[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? -?[\d.e+-]+$/;
    expect(lines.filter((line) => !/^# (HELP|TYPE) bigrid_\w+ ./.test(line) && !sample.test(line))).toEqual([]);
    expect(lines).toEqual(
      expect.arrayContaining([
        'bigrid_requests_total{route="/v1/inspect",status="200"} 1',
        'bigrid_requests_total{route="/v1/inspect",status="404"} 1',
        'bigrid_requests_total{route="other",status="404"} 1',
        'bigrid_images_total{model="part",verdict="good"} 1',
        'bigrid_images_total{model="part",verdict="unreadable"} 1',
        "bigrid_queue_length 0",
        "bigrid_inspection_seconds_count 1",
        'bigrid_inspection_seconds_bucket{le="+Inf"} 1',
        "bigrid_batch_images_sum 2",
      ]),
    );
    expect(Number(/^bigrid_device_memory_bytes\{model="part"\} (\d+)$/m.exec(text)![1])).toBeGreaterThan(1000);
  });
});

describe("the queue", () => {
  test("has at most four sizes of batches, and keeps large images apart", async () => {
    expect([1, 2, 5, 8, 64].map((batch) => batchSizes(batch))).toEqual([
      [1],
      [2, 1],
      [5, 3, 2, 1],
      [8, 4, 2, 1],
      [64, 32, 16, 1],
    ]);
    const batches: number[][] = [];
    const queue = new ImageQueue<{ pixels: number }, number>({ most: 20, batch: 8, onBatch: () => undefined });
    let goOn = (): void => undefined;
    const gone = new Promise<void>((resolve) => (goOn = resolve));
    const batcher = {
      inspect: async (tasks: readonly { pixels: number }[]) => {
        batches.push(tasks.map(({ pixels }) => pixels));
        await gone;
        return tasks.map(({ pixels }) => pixels);
      },
    };
    const add = (pixels: number) => queue.add(batcher, [{ pixels }], new AbortController().signal);
    const all = [1, 2, 3, 4, 5, 6e7, 6e7, 7, 8, 9, 10].map(add);
    goOn();
    expect((await Promise.all(all)).flat()).toEqual([1, 2, 3, 4, 5, 6e7, 6e7, 7, 8, 9, 10]);
    await queue.idle();
    expect(batches).toEqual([[1], [2], [3, 4, 5, 6e7].slice(0, 4), [6e7, 7, 8, 9], [10]]);
  });
});
