// Many requests at a time, against the service in a second process.
import { setMaxListeners } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Agent, request } from "node:http";
import { encodePng } from "../../src/node/images.ts";
import { startService } from "../cli/service.ts";
import { madeUpPicture } from "../harness/made_up_detector.ts";
import { require } from "./processes.ts";

const PICTURES = 16; // different ones
const MOST_SECONDS = 600; // for all requests together

/** The number of requests that were answered, and their times. */
export interface Served {
  readonly requests: number;
  /** Requests per second. */
  readonly rate: number;
  /** Milliseconds from a request to its answer: the median, and what 95 of 100 did not exceed. */
  readonly p50: number;
  readonly p95: number;
  /** Images per batch, on average. */
  readonly perBatch: number;
}

/**
 * Sends images to `bigrid serve`, so many at a time, every third as a form of two. Each answer must be the one that its
 * image got alone; the service must have counted every request, and end with 0.
 * @param run folder of the model
 * @param folder for the pictures
 */
export async function serving(run: string, folder: string, requests: number, atATime = 32): Promise<Served> {
  await mkdir(folder, { recursive: true });
  const pictures: Buffer[] = [];
  for (let i = 0; i < PICTURES; i++) {
    const { data, width, height } = madeUpPicture(64, i + 1);
    const path = join(folder, `${i}.png`);
    await writeFile(path, await encodePng(data, width, height));
    pictures.push(await readFile(path));
  }
  const { url, child, end, said } = await startService([run, "--queue", "256"]);
  const agent = new Agent({ keepAlive: true, maxSockets: atATime });
  const deadline = AbortSignal.timeout(1000 * MOST_SECONDS);
  setMaxListeners(0, deadline); // one of each request
  try {
    const alone: string[] = [];
    for (const picture of pictures) alone.push(imagesIn(await send(url, agent, bodyOf([picture]), deadline))[0]!);
    const milliseconds: number[] = [];
    let next = 0;
    const began = performance.now();
    const client = async (): Promise<void> => {
      for (let i = next++; i < requests; i = next++) {
        const chosen = (i % 3 === 0 ? [i, i + 5] : [i]).map((number) => number % PICTURES);
        const sent = performance.now();
        const answer = await send(url, agent, bodyOf(chosen.map((number) => pictures[number]!)), deadline);
        milliseconds.push(performance.now() - sent);
        require(imagesIn(answer).join() ===
          chosen.map((number) => alone[number]).join(), `request ${i} got another answer: ${answer}`);
      }
    };
    await Promise.all(Array.from({ length: atATime }, client));
    const seconds = (performance.now() - began) / 1000;
    require(milliseconds.length === requests, `${milliseconds.length} of ${requests} requests were answered`);
    const metrics = await (await fetch(`${url}metrics`)).text();
    const counted = valueOf(metrics, 'bigrid_requests_total{route="/v1/inspect",status="200"}');
    require(counted === requests + PICTURES, `the service counted ${counted} requests`);
    child.kill("SIGTERM");
    const { code } = await end;
    require(code === 0, `the service ended with ${code}: ${said()}`);
    milliseconds.sort((a, b) => a - b);
    const at = (share: number): number => milliseconds[Math.min(requests - 1, Math.floor(share * requests))]!;
    const perBatch = valueOf(metrics, "bigrid_batch_images_sum") / valueOf(metrics, "bigrid_batch_images_count");
    return { requests, rate: requests / seconds, p50: at(0.5), p95: at(0.95), perBatch };
  } finally {
    agent.destroy();
    child.kill("SIGKILL");
  }
}

const BOUNDARY = "bigrid-torture";

/** A form of these files. */
const bodyOf = (files: readonly Buffer[]): Buffer =>
  Buffer.concat([
    ...files.flatMap((file) => [
      Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="f"; filename="a.png"\r\n\r\n`),
      file,
      Buffer.from("\r\n"),
    ]),
    Buffer.from(`--${BOUNDARY}--\r\n`),
  ]);

/** Sends a body, and returns the answer's. @throws Error for any status but 200 */
function send(url: string, agent: Agent, body: Buffer, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": `multipart/form-data; boundary=${BOUNDARY}`, "content-length": body.length };
    const sent = request(`${url}v1/inspect`, { method: "POST", agent, headers, signal }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (data: string) => (text += data));
      response.on("error", reject);
      response.on("end", () =>
        response.statusCode === 200 ? resolve(text) : reject(new Error(`${response.statusCode}: ${text}`)),
      );
    });
    sent.on("error", reject).end(body);
  });
}

/** The images of an answer, each as JSON. */
const imagesIn = (answer: string): string[] =>
  (JSON.parse(answer) as { images: object[] }).images.map((image) => JSON.stringify(image));

/** A metric's value. */
const valueOf = (metrics: string, name: string): number =>
  Number(
    metrics
      .split("\n")
      .find((line) => line.startsWith(`${name} `))!
      .slice(name.length + 1),
  );
