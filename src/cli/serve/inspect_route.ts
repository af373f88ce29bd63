import type { IncomingMessage, ServerResponse } from "node:http";
import { thresholdsAt, type GoodScores } from "../../detection/calibration.ts";
import { namesShown, nameShown } from "../../io/printable.ts";
import { pictureHeader } from "../../io/picture_header.ts";
import type { ByteBudget } from "../../node/files/byte_budget.ts";
import type { VerdictLimits } from "../../node/inspection/judged.ts";
import { InputError } from "../../runtime/errors.ts";
import { fractionOf } from "../flags/numbers.ts";
import { namedScores } from "../predict/class_scores.ts";
import { jsonOf } from "../predict/results.ts";
import type { Answer } from "./answers.ts";
import { busy, readImages } from "./body.ts";
import { clientLeft, HttpError } from "./http_error.ts";
import type { ServeLimits } from "./limits.ts";
import type { Metrics } from "./metrics.ts";
import { QueueFullError, type ImageQueue } from "./queue.ts";
import { PARAMETERS } from "./routes.ts";
import type { ImageTask, ServedModel, TaskResult } from "./served_model.ts";

const DEFAULT_THRESHOLD = 0.5; // of calibrated scores: the model's own

/** The parts of the service that an inspection needs. */
export interface InspectionService {
  readonly models: readonly ServedModel[];
  readonly limits: ServeLimits;
  readonly queue: ImageQueue<ImageTask, TaskResult>;
  /** Bytes of all bodies that are held at a time. */
  readonly room: ByteBudget;
  readonly metrics: Metrics;
}

interface Asked {
  readonly model: ServedModel;
  readonly heat: boolean;
  readonly verdict: VerdictLimits;
}

/**
 * Answers a request for an inspection: what `bigrid predict --json` prints for the same images.
 * @param onRead called when the body is about to be read
 * @throws HttpError for a request that cannot be answered so, or if none of its images can be inspected
 */
export async function answerInspection(
  request: IncomingMessage,
  response: ServerResponse,
  query: URLSearchParams,
  { models, limits, queue, room, metrics }: InspectionService,
  onRead: () => void,
): Promise<Answer> {
  const { model, heat, verdict } = askedIn(query, models);
  if (queue.isFull) throw full(queue);
  const { images, release } = await readImages(request, limits, room, onRead);
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(busy(limits.wait)), limits.wait);
  response.once("close", () => patience.abort(clientLeft()));
  if (response.destroyed) patience.abort(clientLeft());
  try {
    const tasks = images.map(({ name, bytes }): ImageTask => ({
      image: name,
      bytes,
      pixels: pixelsOf(bytes),
      limits: verdict,
      heat,
    }));
    const outcomes = await queue.add(model, tasks, patience.signal);
    for (const { result } of outcomes) metrics.image(model.name, result.verdict);
    if (!outcomes.some(({ failure }) => failure === null))
      throw new HttpError(statusOf(tasks[0]!, outcomes[0]!, limits), reasonOf(outcomes[0]!));
    const results = async function* () {
      for (const { result } of outcomes) yield result;
    };
    let body = "";
    for await (const part of jsonOf(verdict.threshold, verdict.pixelThreshold, results)) body += part;
    return { type: "application/json", body };
  } catch (error) {
    throw error instanceof QueueFullError ? full(queue) : error;
  } finally {
    clearTimeout(timer);
    release();
  }
}

const full = ({ length, secondsAhead }: ImageQueue<ImageTask, TaskResult>): HttpError =>
  new HttpError(429, `the queue is full: ${length} images wait; try again in ${secondsAhead} s`, {
    "retry-after": String(secondsAhead),
  });

const reasonOf = ({ result }: TaskResult): string => (result.verdict === "unreadable" ? result.reason : "");

function statusOf({ pixels }: ImageTask, { failure }: TaskResult, limits: ServeLimits): number {
  if (failure === "model") return 500;
  return pixels > limits.pixels ? 413 : 422;
}

/** Pixels that an image claims to have; 0 if that cannot be read, which decoding will say. */
function pixelsOf(bytes: Uint8Array): number {
  try {
    const { width, height } = pictureHeader(bytes, Infinity);
    return width * height;
  } catch {
    return 0;
  }
}

/**
 * Reads what a query asks for.
 * @throws HttpError for an unknown or repeated parameter, a value out of range, a model that is not served, or a
 * class that it does not know
 */
function askedIn(query: URLSearchParams, models: readonly ServedModel[]): Asked {
  for (const name of query.keys()) {
    const known: readonly string[] = PARAMETERS;
    if (!known.includes(name))
      throw new HttpError(400, `the parameter ${nameShown(name)} is unknown, only ${known.join(", ")}`);
    if (query.getAll(name).length > 1) throw new HttpError(400, `the parameter ${name} is there twice`);
  }
  const heat = query.get("heat") ?? "none";
  if (heat !== "png" && heat !== "none") throw new HttpError(400, `heat is png or none, not ${nameShown(heat)}`);
  const model = modelNamed(query.get("model"), models);
  const good = scoresIn(query, model);
  return {
    model,
    heat: heat === "png",
    verdict: { good, ...thresholdsAt(good, thresholdIn(query)), minArea: null },
  };
}

function modelNamed(name: string | null, models: readonly ServedModel[]): ServedModel {
  const model = name === null ? models[0] : models.find((one) => one.name === name);
  if (model) return model;
  const known = namesShown(models.map((one) => one.name));
  throw new HttpError(404, `no model ${nameShown(name ?? "")} is served, only ${known}`);
}

function scoresIn(query: URLSearchParams, { config }: ServedModel): GoodScores {
  try {
    return namedScores(config.calibration, query.get("class") ?? undefined);
  } catch (error) {
    throw error instanceof InputError ? new HttpError(400, error.message) : error;
  }
}

function thresholdIn(query: URLSearchParams): number {
  const text = query.get("threshold");
  if (text === null) return DEFAULT_THRESHOLD;
  try {
    return fractionOf(text);
  } catch {
    throw new HttpError(400, `threshold is a number above 0 and below 1, not ${nameShown(text) || "(empty)"}`);
  }
}
