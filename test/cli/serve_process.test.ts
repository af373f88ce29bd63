// bigrid serve as a user runs it: the same results as predict, how it ends, what it refuses, and many requests at a
// time.
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { saveDetector } from "../../src/node/detector_file.ts";
import { encodePng } from "../../src/node/images.ts";
import { device } from "../harness/device.ts";
import { madeUpDetector, madeUpPicture } from "../harness/made_up_detector.ts";
import { temporaryFolder } from "../harness/temporary.ts";
import { serving } from "../torture/serving.ts";
import { bigrid } from "./program.ts";
import { startService, wire, type Started } from "./service.ts";

const folder = await temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);
const RUN = at("part");
await mkdir(RUN);
await saveDetector(await madeUpDetector(device, 64, { decoder: "tiny" }), RUN);
await mkdir(at("in"));
const NAMES = ["a.png", "b.png", "c.png"];
for (const [i, name] of NAMES.entries()) {
  const { data, width, height } = madeUpPicture(64 + 13 * i, i + 1);
  await writeFile(at("in", name), await encodePng(data, width, height));
}
await writeFile(at("in", "cut.png"), (await readFile(at("in", "a.png"))).subarray(0, 200));

const started: Started[] = [];
afterAll(() => started.forEach(({ child }) => child.kill("SIGKILL")));
async function start(...words: string[]): Promise<Started> {
  const service = await startService([RUN, ...words]);
  started.push(service);
  return service;
}

const post = async (url: string, query: string, names: readonly string[]): Promise<string> => {
  const form = new FormData();
  for (const name of names) form.append("image", new Blob([new Uint8Array(await readFile(at("in", name)))]), name);
  return (await fetch(`${url}v1/inspect${query}`, { method: "POST", body: form })).text();
};

/** The output of predict for images, with names as a form has them. */
async function predicted(words: readonly string[], names: readonly string[]): Promise<string> {
  const paths = names.map((name) => at("in", name));
  const { stdout } = await bigrid(["predict", RUN, ...paths, "--json", ...words]);
  return stdout.replaceAll(`${at("in")}/`, "");
}

describe("answers", () => {
  test("are what predict prints, to the byte", async () => {
    const { url, child, end, said } = await start();
    const plain = await post(url, "", NAMES);
    expect(plain).toBe(await predicted([], NAMES));
    const all = [...NAMES, "cut.png"];
    for (const threshold of ["0.2", "0.999"]) {
      const answer = await post(url, `?threshold=${threshold}`, all);
      expect(answer).toBe(await predicted(["--threshold", threshold], all));
      expect(answer).not.toBe(plain);
    }
    const any = await post(url, "", all);
    for (const words of [
      ["--class", "bolt"],
      ["--class", "nut", "--threshold", "0.3"],
    ]) {
      const query = words
        .join(" ")
        .replaceAll(/ ?--(\w+) /g, "&$1=")
        .replace("&", "?");
      const answer = await post(url, query, all);
      expect(answer, query).toBe(await predicted(words, all));
      expect(answer, query).not.toBe(any);
    }
    const { images } = JSON.parse(plain) as { images: { defects: object[] }[] };
    expect(images.some(({ defects }) => defects.length > 0)).toBe(true);
    await predicted(["--heat", at("heat")], NAMES);
    const heated = JSON.parse(await post(url, "?heat=png", NAMES)) as { images: { heatMap: string }[] };
    for (const [i, { heatMap }] of heated.images.entries())
      expect(heatMap).toBe((await readFile(at("heat", NAMES[i]!))).toString("base64"));
    child.kill("SIGTERM");
    expect(await end).toEqual({ code: 0, signal: null });
    expect(said()).toMatch(/^POST \/v1\/inspect 200 \d+ ms\n/);
    expect(said()).toContain("SIGTERM: answering the requests that are here; again ends at once\n");
  });
});

test("with a region of interest they are predict's too, and what the region does not fit is skipped", async () => {
  const words = ["--roi", "65,65,10,10"]; // outside the first image, which has 64 pixels a side
  const { url } = await start(...words);
  const answer = await post(url, "", NAMES);
  expect(answer).toBe(await predicted(words, NAMES));
  expect((JSON.parse(answer) as { skipped: object[] }).skipped).toHaveLength(1);
});

describe("the end", () => {
  test.each(["SIGTERM", "SIGINT"] as const)("by %s answers what was taken, and is 0", async (signal) => {
    const { url, child, end } = await start("--batch", "1");
    const answers = Array.from({ length: 8 }, () => post(url, "", NAMES));
    for (;;) {
      const metrics = await (await fetch(`${url}metrics`)).text();
      const [waiting, begun] = ["queue_length", "batch_images_count"].map((name) =>
        Number(new RegExp(`^bigrid_${name} (\\d+)$`, "m").exec(metrics)![1]),
      );
      if (waiting! + begun! === 8 * NAMES.length) break; // all requests are taken
    }
    child.kill(signal);
    for (const answer of answers) expect((JSON.parse(await answer) as { images: object[] }).images).toHaveLength(3);
    expect(await end).toEqual({ code: 0, signal: null });
    await expect(fetch(`${url}health`)).rejects.toThrow();
  });

  test("comes at once by a second signal", async () => {
    const { url, child, end } = await start("--send-timeout", "600");
    const head = "POST /v1/inspect HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 9\r\n\r\n";
    const { socket } = wire(url, head); // a body that does not come
    await new Promise((resolve) => setTimeout(resolve, 200));
    child.kill("SIGTERM");
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(child.exitCode).toBeNull();
    child.kill("SIGTERM");
    expect(await end).toEqual({ code: null, signal: "SIGTERM" });
    socket.destroy();
  });
});

describe("is refused in one line", () => {
  test("what cannot be served", async () => {
    await mkdir(at("twin", "part"), { recursive: true });
    await copyFile(join(RUN, "model.safetensors"), at("twin", "part", "model.safetensors"));
    const { url } = await start();
    const { port } = new URL(url);
    for (const [words, error] of [
      [["--host", "0.0.0.0"], "--host 0.0.0.0 lets other machines in: name a file with a secret token by --token-file"],
      [[at("twin", "part")], "two runs would be the model part: rename the folder of one of them"],
      [["--port", port], `cannot listen at 127.0.0.1, port ${port}: another program has it; --port names another`],
      [["--host", "192.0.2.1", "--token-file", at("none")], `cannot read ${at("none")}`],
    ] as const) {
      const { code, stderr, stdout } = await bigrid(["serve", RUN, ...words]);
      expect([code, stdout]).toEqual([1, ""]);
      expect(stderr).toContain(`bigrid: ${error}`);
      expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    }
    expect((await bigrid(["serve", RUN, "--port", "65536"])).code).toBe(2);
  });
});

test("two models are served by their folders' names, the first without one; a token lets in", async () => {
  const OTHER = at("other");
  await mkdir(OTHER);
  await copyFile(join(RUN, "model.safetensors"), join(OTHER, "model.safetensors"));
  await writeFile(at("token"), "0123456789abcdef\n");
  const { url } = await start(OTHER, "--token-file", at("token"));
  expect((await fetch(`${url}v1/models`)).status).toBe(401);
  const answer = await fetch(`${url}v1/models`, { headers: { authorization: "Bearer 0123456789abcdef" } });
  expect(await answer.json()).toMatchObject({
    default: "part",
    models: [{ name: "part", method: "grad", size: 64, classes: ["bolt", "nut"] }, { name: "other" }],
  });
});

test("200 requests, 32 at a time, each get their own answer", async () => {
  const served = await serving(RUN, at("pictures"), 200);
  expect(served.requests).toBe(200);
  expect(served.perBatch).toBeGreaterThan(1);
});
