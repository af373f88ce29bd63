import { InvalidArgumentError, type Command } from "commander";
import { basename, dirname, resolve } from "node:path";
import { MAX_PIXELS } from "../../node/images.ts";
import { openDevice } from "../../node/device.ts";
import { loadDetector, modelPath } from "../../node/detector_file.ts";
import { hashFile } from "../../node/files/hash.ts";
import { OptionError } from "../../runtime/errors.ts";
import type { Region } from "../../detection/region.ts";
import { positiveNumber, wholeNumber } from "../flags/numbers.ts";
import { HALF_HELP, WEIGHTS_HELP } from "../flags/options.ts";
import { addRegionFlags, readRegion, remarkOnRegion, type RegionFlags } from "../flags/region.ts";
import { Gate, readToken } from "../serve/gate.ts";
import type { ServeLimits } from "../serve/limits.ts";
import { ServedModel } from "../serve/served_model.ts";
import { Service } from "../serve/server.ts";
import { MEGABYTE, print, say } from "../terminal/say.ts";
import { AwaitedSignals } from "../terminal/signals.ts";

/** Flags of `serve`. */
interface ServeFlags extends RegionFlags {
  readonly host: string;
  readonly port: number;
  readonly tokenFile?: string;
  readonly weights?: string;
  readonly half?: boolean;
  readonly batch: number;
  readonly queue: number;
  readonly maxBody: number;
  readonly maxPixels: number;
  readonly connections: number;
  readonly sendTimeout: number;
  readonly waitTimeout: number;
}

const MOST_SECONDS = 86_400;

export function addServe(program: Command): void {
  const command = program
    .command("serve")
    .description("an HTTP service that inspects the images that programs send, until interrupted")
    .argument("<runs...>", "folders that train wrote; a model has its folder's name, the first is the default")
    .option("--port <n>", "port to listen at; 0: any that is free", portOf, 8080)
    .option(
      "--host <address>",
      "address to listen at; other machines reach it if it is not a loopback one",
      "127.0.0.1",
    )
    .option("--token-file <file>", "file with the secret token that clients must send")
    .option("--batch <n>", "images per batch, or tiles of an image", wholeNumber(1), 8)
    .option("--queue <n>", "images that may wait, and that a request may have", wholeNumber(1), 64)
    .option("--max-body <megabytes>", "size of a request's body", positiveNumber(2000), 32)
    .option("--max-pixels <megapixels>", "size of an image", positiveNumber(MAX_PIXELS / MEGABYTE), 50)
    .option("--connections <n>", "connections at a time", wholeNumber(1), 256)
    .option("--send-timeout <seconds>", "time for a client to send a request", positiveNumber(MOST_SECONDS), 30)
    .option("--wait-timeout <seconds>", "time for a request to wait for its answer", positiveNumber(MOST_SECONDS), 60)
    .option("--weights <file>", WEIGHTS_HELP)
    .option("--half", HALF_HELP);
  addRegionFlags(command).action(serve);
}

async function serve(runs: readonly string[], flags: ServeFlags): Promise<void> {
  const { host, port, tokenFile } = flags;
  const token = await readToken(host, tokenFile);
  const limits = limitsOf(flags);
  const region = await readRegion(flags);
  const names = await namesOf(runs);
  const models: ServedModel[] = [];
  for (const [i, run] of runs.entries()) models.push(await loadModel(run, names[i]!, flags, limits, region));
  const service = await Service.listen({ host, port, gate: new Gate(host, token), limits, models, onRequest: say });
  const signals = await new Promise<AwaitedSignals>((resolve) => {
    const awaited = new AwaitedSignals("answering the requests that are here; again ends at once", () =>
      resolve(awaited),
    );
    print(`${names.join(", ")}: ${service.address}`);
  });
  await service.end();
  for (const model of models) await model.close();
  signals.ignore();
}

const limitsOf = (flags: ServeFlags): ServeLimits => ({
  batch: flags.batch,
  body: Math.floor(flags.maxBody * MEGABYTE),
  pixels: Math.floor(flags.maxPixels * MEGABYTE),
  connections: flags.connections,
  queue: flags.queue,
  send: 1000 * flags.sendTimeout,
  wait: 1000 * flags.waitTimeout,
});

/** Loads a run's model; on a new device, only the same file will do. */
async function loadModel(
  run: string,
  name: string,
  { weights, half = false }: ServeFlags,
  limits: ServeLimits,
  region: Region | null,
): Promise<ServedModel> {
  const sha256 = await hashFile(await modelPath(run));
  const open = async (): ReturnType<typeof loadDetector> =>
    loadDetector(await openDevice(), run, { weights, half, sha256 });
  const { batch, pixels: maxPixels } = limits;
  const model = await ServedModel.load({ name, open, region, batch, maxPixels, onNotice: say });
  remarkOnRegion(run, model.config.regions, region);
  return model;
}

/**
 * Names of models: those of their folders.
 * @throws OptionError if two are the same; InputError for a run that is none
 */
async function namesOf(runs: readonly string[]): Promise<readonly string[]> {
  const names: string[] = [];
  for (const run of runs) {
    const isFile = (await modelPath(run)) === run;
    const name = basename(resolve(isFile ? dirname(run) : run));
    if (names.includes(name))
      throw new OptionError(`two runs would be the model ${name}: rename the folder of one of them`);
    names.push(name);
  }
  return names;
}

/** A port, from text. */
function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (!(port <= 65_535)) throw new InvalidArgumentError("A whole number from 0 to 65535 is needed.");
  return port;
}
