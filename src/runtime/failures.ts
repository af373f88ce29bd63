import { DeviceLostError, GpuError, OutOfMemoryError } from "./errors.ts";

/**
 * Keeps what went wrong on a GPUDevice until somebody can be told. WebGPU reports errors later than the call that made
 * them; the next call that talks to the GPU throws them.
 */
export class Failures {
  /** Resolves when the device is gone, with the reason. */
  readonly lost: Promise<DeviceLostError>;
  readonly #gpu: GPUDevice;
  readonly #bytesInUse: () => number;
  #pending: Promise<void>[] = [];
  #failure: GpuError | DeviceLostError | null = null;

  /** @param bytesInUse bytes of all buffers, for the message of an OutOfMemoryError */
  constructor(gpu: GPUDevice, bytesInUse: () => number) {
    this.#gpu = gpu;
    this.#bytesInUse = bytesInUse;
    const onError = (event: GPUUncapturedErrorEvent): void => {
      event.preventDefault();
      const { error } = event;
      const note = (): void =>
        error instanceof GPUOutOfMemoryError ? this.#ranOut(error.message) : this.#note(new GpuError(error.message));
      // It may follow from one that a scope has caught, which is told later: a buffer that was not made cannot be
      // bound.
      if (this.#pending.length === 0) note();
      else this.#pending.push(Promise.all(this.#pending).then(note));
    };
    gpu.addEventListener("uncapturederror", onError);
    this.lost = gpu.lost.then(({ reason, message }) => {
      // Dawn never collects a device that has a listener, nor its pipelines, buffers and threads.
      gpu.removeEventListener("uncapturederror", onError);
      return this.#lose(`the GPU device was lost (${reason}): ${message || "no further word"}; ask for a new device`);
    });
  }

  /** Throws what went wrong since the last call. A lost device, or one without memory, throws at every call. */
  check(): void {
    const failure = this.#failure;
    if (!failure) return;
    // Nothing that a device without memory says can be relied on: whoever asks next must know.
    if (!(failure instanceof DeviceLostError || failure instanceof OutOfMemoryError)) this.#failure = null;
    throw failure;
  }

  /** Whether the device is known to be gone. */
  get isLost(): boolean {
    return this.#failure instanceof DeviceLostError;
  }

  /** Waits until every error that is already under way has arrived, and throws it. */
  async settle(): Promise<void> {
    await Promise.all(this.#pending);
    this.#pending = [];
    this.check();
  }

  /** Runs `create` under error scopes; what they catch is thrown by the next call. */
  guard<T>(what: string, filters: readonly GPUErrorFilter[], create: () => T): T {
    for (const filter of filters) this.#gpu.pushErrorScope(filter);
    try {
      return create();
    } finally {
      for (const filter of [...filters].reverse()) {
        // the scope that was opened last is the first to close
        const caught = this.#gpu.popErrorScope().then(
          (error) => {
            if (error && filter === "out-of-memory") this.#ranOut(`${what}: ${error.message}`);
            else if (error) this.#note(new GpuError(`${what}: ${error.message}`));
          },
          () => undefined, // the device is lost, which has its own error
        );
        this.#pending.push(caught);
      }
    }
  }

  /** Notes that the device was destroyed on purpose. */
  destroyed(): void {
    this.#lose("the GPU device was destroyed; ask for a new one");
  }

  #lose(words: string): DeviceLostError {
    const lost = new DeviceLostError(words);
    this.#failure = lost;
    return lost;
  }

  #note(failure: GpuError): void {
    this.#failure ??= failure;
  }

  /** Notes that memory ran out: what goes wrong with buffers that could not be made follows from it. */
  #ranOut(words: string): void {
    if (this.#failure instanceof DeviceLostError) return;
    const bytes = this.#bytesInUse();
    this.#failure = new OutOfMemoryError(
      `the GPU is out of memory with ${bytes} bytes in use (${words}): use a smaller batch, on a new device`,
    );
  }
}
