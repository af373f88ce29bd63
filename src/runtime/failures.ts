import { DeviceLostError, GpuError, OutOfMemoryError } from "./errors.ts";

/**
 * Keeps the errors of a GPUDevice until they can be thrown. WebGPU reports an error later than the call that caused it;
 * the next call that talks to the GPU throws it.
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
      // It may result from an error that a scope caught but reports later: a buffer that was not created cannot be
      // bound.
      if (this.#pending.length === 0) note();
      else this.#pending.push(Promise.all(this.#pending).then(note));
    };
    gpu.addEventListener("uncapturederror", onError);
    this.lost = gpu.lost.then(({ reason, message }) => {
      // Dawn never frees a device that has a listener, nor its pipelines, buffers and threads.
      gpu.removeEventListener("uncapturederror", onError);
      return this.#lose(`the GPU device was lost (${reason}): ${message || "no details"}; open a new device`);
    });
  }

  /** Throws the first error since the last call. A device that is lost or out of memory throws at every call. */
  check(): void {
    const failure = this.#failure;
    if (!failure) return;
    // Nothing from a device that ran out of memory is reliable, so every later caller must be told.
    if (!(failure instanceof DeviceLostError || failure instanceof OutOfMemoryError)) this.#failure = null;
    throw failure;
  }

  /** True if the device is known to be lost. */
  get isLost(): boolean {
    return this.#failure instanceof DeviceLostError;
  }

  /** Waits until every error that is already under way has arrived, and throws the first one. */
  async settle(): Promise<void> {
    await Promise.all(this.#pending);
    this.#pending = [];
    this.check();
  }

  /** Runs `create` under error scopes; the next call throws what they catch. */
  guard<T>(what: string, filters: readonly GPUErrorFilter[], create: () => T): T {
    for (const filter of filters) this.#gpu.pushErrorScope(filter);
    try {
      return create();
    } finally {
      for (const filter of [...filters].reverse()) {
        // the scope that was opened last closes first
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

  /** Notes that memory ran out; errors about buffers that could not be created are consequences. */
  #ranOut(words: string): void {
    if (this.#failure instanceof DeviceLostError) return;
    const bytes = this.#bytesInUse();
    this.#failure = new OutOfMemoryError(
      `the GPU is out of memory with ${bytes} bytes in use (${words}): use a smaller batch, on a new device`,
    );
  }
}
