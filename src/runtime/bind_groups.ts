import type { Kernel } from "./kernel.ts";
import type { Tally } from "./queue.ts";

/** A whole buffer, or the part of it that a dispatch binds. */
export type BufferPart = GPUBuffer | { readonly buffer: GPUBuffer; readonly offset: number; readonly size: number };

/** Buffers by binding name in the WGSL. */
export type Buffers = Readonly<Record<string, BufferPart>>;

const bufferIds = new WeakMap<GPUBuffer, number>();
let nextBufferId = 0;

/** Creates and caches bind groups; buffers recur because the pool reuses them. */
export class BindGroups {
  readonly #gpu: GPUDevice;
  readonly #tally: Tally;
  readonly #most: number;
  readonly #groups = new Map<string, GPUBindGroup>();

  /** @param most capacity: when it is exceeded, the whole cache is cleared */
  constructor(gpu: GPUDevice, tally: Tally, most = Infinity) {
    this.#gpu = gpu;
    this.#tally = tally;
    this.#most = most;
  }

  /** The bind group of a kernel's storage buffers. */
  of(kernel: Kernel, buffers: Buffers): GPUBindGroup {
    let key = `${kernel.id}`;
    for (const { name } of kernel.bindings) key += `:${idOf(buffers[name]!)}`;
    let group = this.#groups.get(key);
    if (!group) {
      if (this.#groups.size >= this.#most) this.#groups.clear();
      this.#groups.set(key, (group = this.#create(kernel, buffers)));
    }
    return group;
  }

  /** Clears the cache; the buffers that it binds may be destroyed. */
  clear(): void {
    this.#groups.clear();
  }

  #create(kernel: Kernel, buffers: Buffers): GPUBindGroup {
    this.#tally.bindGroups++;
    const entries = kernel.bindings.map(({ name, binding }) => ({ binding, resource: resourceOf(buffers[name]!) }));
    return this.#gpu.createBindGroup({ label: kernel.label, layout: kernel.layout, entries });
  }
}

/** The buffer behind a part. */
export const bufferOf = (part: BufferPart): GPUBuffer => resourceOf(part).buffer;

const resourceOf = (
  part: BufferPart,
): { readonly buffer: GPUBuffer; readonly offset?: number; readonly size?: number } =>
  "offset" in part ? part : { buffer: part };

function idOf(part: BufferPart): string {
  const { buffer, offset = 0, size = 0 } = resourceOf(part);
  let id = bufferIds.get(buffer);
  if (id === undefined) bufferIds.set(buffer, (id = nextBufferId++));
  return size === 0 ? `${id}` : `${id}@${offset}+${size}`;
}
