import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { nameShown } from "../../io/printable.ts";
import { reasonOf } from "../../node/files/reasons.ts";
import { ByteBudget } from "../../node/files/byte_budget.ts";
import { BigridError, InputError } from "../../runtime/errors.ts";
import { json, refuse, send, type Answer } from "./answers.ts";
import type { Gate } from "./gate.ts";
import { CLIENT_LEFT, HttpError, rawAnswer } from "./http_error.ts";
import { answerInspection, type InspectionService } from "./inspect_route.ts";
import type { ServeLimits } from "./limits.ts";
import { Metrics } from "./metrics.ts";
import { openApi } from "./openapi.ts";
import { pageAnswer } from "./page/page.ts";
import { ImageQueue } from "./queue.ts";
import { isPath, ROUTES, type Path } from "./routes.ts";
import type { ServedModel } from "./served_model.ts";

/** Options of a service. */
export interface ServiceOptions {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly gate: Gate;
  readonly limits: ServeLimits;
  readonly models: readonly ServedModel[];
  /** Called with a line for each request. */
  readonly onRequest: (line: string) => void;
}

const ROOM = 256e6; // bytes of all bodies that are held at a time; a larger one is held alone
const CHECK = 500; // milliseconds between looks for slow headers
const LAST_WORDS = 1000; // milliseconds for answered connections to close by themselves
const OTHER = "other"; // the route in metrics of a path that is not served

/** The inspection service: HTTP on one address. */
export class Service implements InspectionService {
  readonly models: readonly ServedModel[];
  readonly limits: ServeLimits;
  readonly metrics = new Metrics();
  readonly queue: InspectionService["queue"];
  readonly room = new ByteBudget(ROOM);
  readonly #options: ServiceOptions;
  readonly #server: Server;
  readonly #connections = new Set<Socket>();
  readonly #surplus = new WeakSet<Socket>();
  #answering = 0;
  #isEnding = false;
  #onAnswered: () => void = () => undefined;

  private constructor(options: ServiceOptions) {
    const { limits, models } = options;
    this.#options = options;
    this.models = models;
    this.limits = limits;
    const onBatch = (images: number): void => this.metrics.batch(images);
    this.queue = new ImageQueue({ most: limits.queue, batch: limits.batch, onBatch });
    this.#server = createServer({
      headersTimeout: limits.send,
      requestTimeout: 0, // a body's time begins when there is room to read it
      connectionsCheckingInterval: CHECK,
    });
    this.#server.maxConnections = 2 * limits.connections; // beyond, they are dropped without a word
    this.#server
      .on("connection", (socket) => this.#connected(socket))
      .on("request", (request, response) => void this.#answer(request, response, false))
      .on("checkContinue", (request, response) => void this.#answer(request, response, true))
      .on("clientError", (error: NodeJS.ErrnoException, socket) => this.#refuseUnread(error, socket as Socket));
  }

  /**
   * Begins to serve.
   * @throws InputError if the address cannot be listened at
   */
  static async listen(options: ServiceOptions): Promise<Service> {
    const service = new Service(options);
    const { host, port } = options;
    await new Promise<void>((resolve, reject) => {
      service.#server.once("error", (error: NodeJS.ErrnoException) => {
        const reason = error.code === "EADDRINUSE" ? "another program has it" : reasonOf(error);
        reject(
          new InputError(`cannot listen at ${host}, port ${port}: ${reason}; --port names another`, { cause: error }),
        );
      });
      service.#server.listen(port, host, resolve);
    });
    return service;
  }

  /** The address, as a browser takes it. */
  get address(): string {
    const { port, address } = this.#server.address() as AddressInfo;
    return `http://${address.includes(":") ? `[${address}]` : address}:${port}/`;
  }

  /** Ends: takes no more requests, and answers those that it has. */
  async end(): Promise<void> {
    this.#isEnding = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    if (this.#answering > 0) await new Promise<void>((resolve) => (this.#onAnswered = resolve));
    await this.queue.idle(); // a batch whose clients left
    await Promise.race([closed, pause(LAST_WORDS)]);
    this.#server.closeAllConnections();
    await closed;
  }

  #connected(socket: Socket): void {
    this.#connections.add(socket);
    if (this.#connections.size > this.limits.connections) this.#surplus.add(socket);
    socket.once("close", () => this.#connections.delete(socket));
  }

  /** Refuses what is no request: a malformed header, or one that did not arrive in time. */
  #refuseUnread(error: NodeJS.ErrnoException, socket: Socket): void {
    if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
    const [status, message] =
      error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? [408, `the request's header did not arrive within ${this.limits.send / 1000} s`]
        : error.code === "HPE_HEADER_OVERFLOW"
          ? [431, "the request's header is too large"]
          : [400, "malformed HTTP"];
    this.metrics.request(OTHER, status);
    socket.end(rawAnswer(status, message), () => socket.destroy());
  }

  /** @param asks true if the client sends the body only when it is told to go on */
  async #answer(request: IncomingMessage, response: ServerResponse, asks: boolean): Promise<void> {
    const began = performance.now();
    const [path, query] = splitUrl(request.url ?? "");
    request.on("error", () => undefined); // what reads the body sees it close
    response.on("error", () => undefined); // the client has left
    this.#answering++;
    response.once("close", () => {
      const milliseconds = performance.now() - began;
      const status = response.headersSent ? response.statusCode : CLIENT_LEFT;
      this.metrics.request(isPath(path) ? path : OTHER, status);
      if (path === "/v1/inspect" && status === 200) this.metrics.inspection(milliseconds);
      this.#options.onRequest(`${request.method} ${nameShown(path)} ${status} ${milliseconds.toFixed(0)} ms`);
      if (--this.#answering === 0) this.#onAnswered();
    });
    if (this.#isEnding) response.setHeader("connection", "close");
    try {
      this.#requireOpen(request, isPath(path) ? ROUTES[path].isOpen : false);
      const route = this.#routeOf(request, path);
      const onRead = (): void => void (asks && response.writeContinue());
      const answer = await this.#answers[route](request, response, query, onRead);
      if (this.#isEnding) response.setHeader("connection", "close"); // it began to end meanwhile
      await send(request, response, answer);
    } catch (error) {
      await refuse(request, response, told(error, this.#options.onRequest));
    }
  }

  /** @throws HttpError if no request is taken now, or not this one */
  #requireOpen(request: IncomingMessage, isOpen: boolean): void {
    if (this.#isEnding) throw new HttpError(503, "the service is ending");
    if (this.#surplus.has(request.socket)) {
      const most = this.limits.connections;
      throw new HttpError(503, `more than ${most} connections are open, which is the limit`, {
        connection: "close",
        "retry-after": "1",
      });
    }
    this.#options.gate.admit(request, isOpen);
  }

  #routeOf({ method = "" }: IncomingMessage, path: string): Path {
    if (!isPath(path))
      throw new HttpError(404, `nothing is served at ${nameShown(path)}, only ${Object.keys(ROUTES).join(", ")}`);
    const allowed = ROUTES[path].method;
    if (method !== allowed && !(method === "HEAD" && allowed === "GET"))
      throw new HttpError(405, `${path} takes ${allowed}, not ${method}`, { allow: allowed });
    return path;
  }

  readonly #answers: Readonly<
    Record<
      Path,
      (
        request: IncomingMessage,
        response: ServerResponse,
        query: URLSearchParams,
        onRead: () => void,
      ) => Answer | Promise<Answer>
    >
  > = {
    "/": pageAnswer,
    "/health": () => json({ status: "ok", queue: this.queue.length }),
    "/openapi.json": () => json(openApi(this.limits)),
    "/metrics": () => ({
      type: "text/plain; version=0.0.4; charset=utf-8",
      body: this.metrics.text({
        queueLength: this.queue.length,
        connections: this.#connections.size,
        models: this.models,
      }),
    }),
    "/v1/models": () => json({ default: this.models[0]!.name, models: this.models.map(describe) }),
    "/v1/inspect": (request, response, query, onRead) => answerInspection(request, response, query, this, onRead),
  };
}

/** A model as `/v1/models` lists it. */
const describe = ({ name, config: { method, backbone, input, calibration, regions } }: ServedModel): object => ({
  name,
  method: method.name,
  backbone: backbone.name,
  size: input.size,
  ...(input.tiles && { tiles: input.tiles }),
  classes: Object.keys(calibration.classes),
  regions,
});

function splitUrl(url: string): [path: string, query: URLSearchParams] {
  const at = url.indexOf("?");
  return at < 0 ? [url, new URLSearchParams()] : [url.slice(0, at), new URLSearchParams(url.slice(at + 1))];
}

/** An error as the client is told. What nobody foresaw is told to the service's own user. */
function told(error: unknown, say: (line: string) => void): HttpError {
  if (error instanceof HttpError) return error;
  const { message } = error as Error;
  if (error instanceof BigridError) return new HttpError(500, message);
  say(`unexpected error: ${message}`);
  return new HttpError(500, "unexpected error; the service's own messages say more");
}
