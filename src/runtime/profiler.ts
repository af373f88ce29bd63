const CAPACITY = 2048; // timestamps of a query set

/** Minimum cost of a dispatch. */
export interface Work {
  /** Bytes read and written, each element counted once. */
  readonly bytes: number;
  /**
   * Multiplications and additions of products and convolutions. Other kernels count none: memory traffic limits them.
   */
  readonly operations: number;
}

/** One dispatch of a kernel. */
export interface TracedDispatch extends Work {
  /** The kernel's label, as in profiles. */
  readonly label: string;
}

/** GPU time spent under one label. */
export interface KernelTime {
  readonly label: string;
  readonly dispatches: number;
  readonly milliseconds: number;
}

/**
 * Times each dispatch in a pass of its own between two timestamps. This prevents dispatches from overlapping and adds
 * the cost of a pass to each, so totals are too large: use it to find where time goes, not how much.
 */
export class Profiler {
  readonly #gpu: GPUDevice;
  readonly #querySet: GPUQuerySet;
  readonly #totals = new Map<string, { dispatches: number; nanoseconds: number }>();
  #labels: string[] = [];
  #reads: Promise<void>[] = [];

  constructor(gpu: GPUDevice) {
    this.#gpu = gpu;
    this.#querySet = gpu.createQuerySet({ type: "timestamp", count: CAPACITY });
  }

  /** True if a submission can time no more dispatches. */
  get full(): boolean {
    return 2 * this.#labels.length === CAPACITY;
  }

  beginPass(encoder: GPUCommandEncoder, label: string): GPUComputePassEncoder {
    const first = 2 * this.#labels.push(label) - 2;
    return encoder.beginComputePass({
      label,
      timestampWrites: { querySet: this.#querySet, beginningOfPassWriteIndex: first, endOfPassWriteIndex: first + 1 },
    });
  }

  /** Ends a submission. Returns a function to call after submitting, which reads the times once the GPU is done. */
  resolve(encoder: GPUCommandEncoder): () => void {
    const labels = this.#labels;
    this.#labels = [];
    if (labels.length === 0) return () => undefined;
    const bytes = 16 * labels.length;
    const buffer = (usage: number): GPUBuffer => this.#gpu.createBuffer({ size: bytes, usage });
    const resolved = buffer(GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC);
    const staging = buffer(GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST);
    encoder.resolveQuerySet(this.#querySet, 0, 2 * labels.length, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, bytes);
    return () => this.#reads.push(this.#collect(labels, resolved, staging));
  }

  /** GPU time by kernel so far, largest first. */
  async totals(): Promise<KernelTime[]> {
    await Promise.all(this.#reads);
    this.#reads = [];
    return [...this.#totals]
      .map(([label, { dispatches, nanoseconds }]) => ({ label, dispatches, milliseconds: nanoseconds / 1e6 }))
      .sort((a, b) => b.milliseconds - a.milliseconds);
  }

  async #collect(labels: readonly string[], resolved: GPUBuffer, staging: GPUBuffer): Promise<void> {
    await staging.mapAsync(GPUMapMode.READ);
    const stamps = new BigUint64Array(staging.getMappedRange());
    labels.forEach((label, i) => {
      const total = this.#totals.get(label) ?? { dispatches: 0, nanoseconds: 0 };
      total.dispatches++;
      total.nanoseconds += Math.max(0, Number(stamps[2 * i + 1]! - stamps[2 * i]!));
      this.#totals.set(label, total);
    });
    staging.destroy();
    resolved.destroy();
  }
}
