import type { Failures } from "./failures.ts";
import { kernelParts, labelOf, wgslOf, type Kernel, type KernelParts, type KernelSpec } from "./kernel.ts";

const FILTERS: readonly GPUErrorFilter[] = ["validation", "internal"];

/** Compiles kernels, each spec once, and keeps them. */
export class Pipelines {
  readonly #gpu: GPUDevice;
  readonly #failures: Failures;
  readonly #paramsLayout: GPUBindGroupLayout;
  readonly #kernels = new Map<string, Kernel>();
  readonly #preparing = new Map<string, Promise<void>>();
  readonly #modules = new Map<string, GPUShaderModule>();

  constructor(gpu: GPUDevice, failures: Failures, paramsLayout: GPUBindGroupLayout) {
    this.#gpu = gpu;
    this.#failures = failures;
    this.#paramsLayout = paramsLayout;
  }

  /** The compiled kernel of a spec; compiled at the first call, which waits for the compiler. */
  kernel(spec: KernelSpec): Kernel {
    this.#failures.check();
    const key = labelOf(spec);
    let kernel = this.#kernels.get(key);
    if (!kernel) {
      kernel = this.#failures.guard(key, FILTERS, () => {
        const { interface: rest, descriptor } = this.#partsOf(spec);
        return { ...rest, pipeline: this.#gpu.createComputePipeline(descriptor) };
      });
      this.#kernels.set(key, kernel);
    }
    return kernel;
  }

  /** Specs of all kernels that were asked for. */
  get specs(): readonly KernelSpec[] {
    return [...this.#kernels.values()].map(({ spec }) => spec);
  }

  /** Compiles kernels in parallel, those that are not there yet. One that fails is left to `kernel`, which says why. */
  async prepare(specs: readonly KernelSpec[]): Promise<void> {
    await Promise.all(specs.map((spec) => this.#prepare(spec)));
  }

  #prepare(spec: KernelSpec): Promise<void> {
    const key = labelOf(spec);
    if (this.#kernels.has(key)) return Promise.resolve();
    let preparing = this.#preparing.get(key);
    if (preparing) return preparing;
    const { interface: rest, descriptor } = this.#failures.guard(key, FILTERS, () => this.#partsOf(spec));
    preparing = this.#gpu.createComputePipelineAsync(descriptor).then((pipeline) => {
      if (!this.#kernels.has(key)) this.#kernels.set(key, { ...rest, pipeline });
    }, () => undefined).finally(() => this.#preparing.delete(key));
    this.#preparing.set(key, preparing);
    return preparing;
  }

  #partsOf(spec: KernelSpec): KernelParts {
    return kernelParts(this.#gpu, spec, this.#paramsLayout, ({ module, element }) => {
      const label = `${module.name}<${element}>`;
      let compiled = this.#modules.get(label);
      if (!compiled) {
        compiled = this.#gpu.createShaderModule({ label, code: wgslOf(module, element) });
        this.#modules.set(label, compiled);
      }
      return compiled;
    });
  }
}
