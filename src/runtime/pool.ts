import { dispose } from "./disposal.ts";
import { TooLargeError, UsageError } from "./errors.ts";

/** A storage buffer lent by the pool. It belongs to the scope that was open when it was made. */
export interface Allocation {
  readonly id: number;
  readonly buffer: GPUBuffer;
  readonly bytes: number;
  /** True once it is released; the buffer may then hold another allocation's data. */
  readonly isReleased: boolean;
}

type Lent = { -readonly [Key in keyof Allocation]: Allocation[Key] };

/** Memory use of a device. */
export interface MemoryUse {
  /** Bytes lent to tensors now. */
  readonly bytes: number;
  readonly allocations: number;
  /** Peak of `bytes`. */
  readonly peakBytes: number;
  /** Bytes returned and waiting to be lent again. */
  readonly freeBytes: number;
  /** Buffers created so far. Constant while a loop runs on recycled memory. */
  readonly buffersCreated: number;
}

const GRANULE = 256;

/** Size of a buffer with room for `bytes`: a whole number of granules, at least one. */
export const wholeGranules = (bytes: number): number => Math.max(GRANULE, Math.ceil(bytes / GRANULE) * GRANULE);

let nextId = 0; // counts allocations, over all pools

/** An allocation within a buffer that has another owner. */
export const allocationWithin = (buffer: GPUBuffer, bytes: number): Allocation => ({
  id: nextId++,
  buffer,
  bytes,
  isReleased: false,
});

const holders = new WeakMap<GPUBuffer, Allocation>(); // last allocation of each buffer, over all pools

/** The most recent allocation of a buffer; undefined if the buffer belongs to no pool. */
export const holderOf = (buffer: GPUBuffer): Allocation | undefined => holders.get(buffer);

/**
 * Lends storage buffers and takes them back. A returned buffer may be lent again at once: the queue runs in order, so
 * its previous user is done with it. Its contents are then undefined.
 *
 * The oldest free buffer is lent first, regardless of the order of return: a loop that starts each round with the same
 * free buffers gets the same ones again, and with them its bind groups.
 */
export class BufferPool {
  readonly #create: (bytes: number) => GPUBuffer;
  readonly #maxBytes: number;
  readonly #reuses: boolean;
  readonly #free = new Map<number, GPUBuffer[]>(); // by size; the oldest last
  readonly #serials = new WeakMap<GPUBuffer, number>();
  readonly #lent = new Map<number, Lent>();
  readonly #scopes: Scope[] = [];
  #bytes = 0;
  #peakBytes = 0;
  #freeBytes = 0;
  #buffersCreated = 0;

  /**
   * @param maxBytes size limit of a buffer on this device
   * @param reuses true if a buffer may be lent more than once
   */
  constructor(create: (bytes: number) => GPUBuffer, maxBytes: number, reuses = true) {
    this.#reuses = reuses;
    this.#create = create;
    this.#maxBytes = maxBytes;
  }

  allocate(bytes: number): Allocation {
    if (!(bytes <= this.#maxBytes)) {
      const limit = `any buffer of this device (${this.#maxBytes})`;
      throw new TooLargeError(`a tensor of ${bytes} bytes is larger than ${limit}; use a smaller batch`);
    }
    const size = wholeGranules(bytes);
    let buffer = this.#reuses ? this.#free.get(size)?.pop() : undefined;
    if (buffer) this.#freeBytes -= size;
    else {
      buffer = this.#create(size);
      this.#serials.set(buffer, this.#buffersCreated++);
    }
    const allocation = { id: nextId++, buffer, bytes: size, isReleased: false };
    this.#lent.set(allocation.id, allocation);
    holders.set(buffer, allocation);
    this.#bytes += size;
    this.#peakBytes = Math.max(this.#peakBytes, this.#bytes);
    this.#scopes.at(-1)?.own(allocation);
    return allocation;
  }

  /** Takes an allocation back. Releasing one twice has no effect. */
  release(allocation: Allocation): void {
    const lent = this.#lent.get(allocation.id);
    if (!lent) return;
    this.#lent.delete(allocation.id);
    lent.isReleased = true;
    this.#bytes -= allocation.bytes;
    this.#freeBytes += allocation.bytes;
    let bucket = this.#free.get(allocation.bytes);
    if (!bucket) this.#free.set(allocation.bytes, (bucket = []));
    const serial = this.#serials.get(allocation.buffer)!;
    let at = bucket.length;
    while (at > 0 && this.#serials.get(bucket[at - 1]!)! < serial) at--;
    bucket.splice(at, 0, allocation.buffer);
  }

  /** True if an allocation belongs to this pool and is not released. */
  lends(allocation: Allocation): boolean {
    return this.#lent.has(allocation.id);
  }

  /** Destroys the free buffers. */
  trim(): void {
    for (const buffer of [...this.#free.values()].flat()) buffer.destroy();
    this.#free.clear();
    this.#freeBytes = 0;
  }

  /** Destroys all buffers, lent or not; nothing may be lent afterwards. */
  destroy(): void {
    this.trim();
    for (const lent of this.#lent.values()) {
      lent.isReleased = true;
      lent.buffer.destroy();
    }
    this.#lent.clear();
    this.#bytes = 0;
  }

  /** Opens a scope. If it is still open when the function that opened it awaits, it is cut off: see `Scope`. */
  scope({ awaits = false }: ScopeOptions = {}): Scope {
    const scope = new Scope(
      {
        release: (allocation) => this.release(allocation),
        close: (closing, kept) => {
          if (this.#scopes.pop() !== closing) {
            throw new UsageError("scopes must be closed in the reverse order of their opening");
          }
          for (const allocation of kept) this.#scopes.at(-1)?.own(allocation);
        },
      },
      awaits,
    );
    const isOutermost = this.#scopes.every((open) => open.awaits);
    this.#scopes.push(scope);
    // Microtasks run once synchronous code has ended: a scope still open then belongs to a function that awaits.
    if (isOutermost && !awaits) queueMicrotask(() => scope.isClosed || this.#cutOff(scope));
    return scope;
  }

  /** Removes a scope, and those opened inside it, from the stack so that other work does not use them. */
  #cutOff(scope: Scope): void {
    const at = this.#scopes.indexOf(scope);
    if (at >= 0) for (const open of this.#scopes.splice(at)) open.cutOff();
  }

  use(): MemoryUse {
    return {
      bytes: this.#bytes,
      allocations: this.#lent.size,
      peakBytes: this.#peakBytes,
      freeBytes: this.#freeBytes,
      buffersCreated: this.#buffersCreated,
    };
  }
}

/** Options of a scope. */
export interface ScopeOptions {
  /**
   * Lets the scope stay open while its function awaits. Only for callers that know that nothing else uses the device
   * meanwhile: the scope owns all allocations of that time. Default false.
   */
  readonly awaits?: boolean;
}

interface ScopeOwner {
  release(allocation: Allocation): void;
  close(scope: Scope, kept: Iterable<Allocation>): void;
}

const LEFT_OPEN =
  "a scope was still open when its function awaited something, where other work would allocate into it: " +
  "close it before, or allocate inside device.tidy(() => ...) and await its result";

/**
 * Everything allocated while a scope is open is released when it closes, unless it was kept; then it belongs to the
 * enclosing scope. Write `using scope = device.scope()`.
 *
 * A scope must close before the function that opened it awaits. Otherwise it no longer owns later allocations, and
 * `keep` or closing it throws UsageError; what it owned is released all the same.
 */
export class Scope implements Disposable {
  /** See `ScopeOptions`. */
  readonly awaits: boolean;
  readonly #owner: ScopeOwner;
  readonly #owned = new Map<number, Allocation>();
  readonly #kept = new Map<number, Allocation>();
  #state: "open" | "cut off" | "refused" | "closed" = "open";

  constructor(owner: ScopeOwner, awaits: boolean) {
    this.#owner = owner;
    this.awaits = awaits;
  }

  /** True once it is closed. */
  get isClosed(): boolean {
    return this.#state === "closed";
  }

  /** Notes an allocation made while this scope was the innermost. */
  own(allocation: Allocation): void {
    this.#owned.set(allocation.id, allocation);
  }

  /** True if closing this scope would release the allocation. */
  owns(allocation: Allocation): boolean {
    return this.#owned.has(allocation.id);
  }

  /** Notes that the function of this scope awaits. */
  cutOff(): void {
    this.#state = "cut off";
  }

  /**
   * Lets `holder` outlive the scope; returns it.
   * @throws UsageError if the scope was left open across an `await`
   */
  keep<T extends { readonly allocation: Allocation }>(holder: T): T {
    this.#refuse();
    const { allocation } = holder;
    if (this.#owned.delete(allocation.id)) this.#kept.set(allocation.id, allocation);
    return holder;
  }

  /** Releases one allocation early, if this scope owns it and did not keep it. */
  release(allocation: Allocation): void {
    if (this.#owned.delete(allocation.id)) this.#owner.release(allocation);
  }

  /**
   * Releases everything that is not kept.
   * @throws UsageError if scopes opened inside are still open, or if this one was left open across an `await`
   */
  [dispose](): void {
    for (const allocation of this.#owned.values()) this.#owner.release(allocation);
    this.#owned.clear();
    if (this.#state === "open") this.#owner.close(this, this.#kept.values());
    else this.#refuse();
    this.#state = "closed";
  }

  /** Throws once; later consequences are not reported. */
  #refuse(): void {
    if (this.#state !== "cut off") return;
    this.#state = "refused";
    throw new UsageError(LEFT_OPEN);
  }
}
