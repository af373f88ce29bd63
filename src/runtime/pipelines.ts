import type { Failures } from "./failures.ts";
import { kernelParts, labelOf, wgslOf, type Kernel, type KernelParts, type KernelSpec } from "./kernel.ts";
import type { WgslModule } from "./wgsl.ts";

const FILTERS: readonly GPUErrorFilter[] = ["validation", "internal"];

/** What was made of one module. Names of modules need not differ: a kernel may be defined anew under its name. */
interface Compiled {
  readonly kernels: Map<string, Kernel>;
  readonly preparing: Map<string, Promise<void>>;
  /** By label: of the module's name and the element. */
  readonly shaders: Map<string, GPUShaderModule>;
}

/** Compiles kernels, each spec once, and keeps them. */
export class Pipelines {
  readonly #gpu: GPUDevice;
  readonly #failures: Failures;
  readonly #paramsLayout: GPUBindGroupLayout;
  readonly #compiled = new Map<WgslModule, Compiled>();

  constructor(gpu: GPUDevice, failures: Failures, paramsLayout: GPUBindGroupLayout) {
    this.#gpu = gpu;
    this.#failures = failures;
    this.#paramsLayout = paramsLayout;
  }

  /** The compiled kernel of a spec; compiled at the first call, which waits for the compiler. */
  kernel(spec: KernelSpec): Kernel {
    this.#failures.check();
    const { kernels } = this.#of(spec.module);
    const key = labelOf(spec);
    let kernel = kernels.get(key);
    if (!kernel) {
      kernel = this.#failures.guard(key, FILTERS, () => {
        const { interface: rest, descriptor } = this.#partsOf(spec);
        return { ...rest, pipeline: this.#gpu.createComputePipeline(descriptor) };
      });
      kernels.set(key, kernel);
    }
    return kernel;
  }

  /** Specs of all kernels that were asked for. */
  get specs(): readonly KernelSpec[] {
    return [...this.#compiled.values()].flatMap(({ kernels }) => [...kernels.values()].map(({ spec }) => spec));
  }

  /** Forgets all kernels, of a device that is gone. */
  clear(): void {
    this.#compiled.clear();
  }

  /** Compiles kernels in parallel, those that are not there yet. One that fails is left to `kernel`, which says why. */
  async prepare(specs: readonly KernelSpec[]): Promise<void> {
    await Promise.all(specs.map((spec) => this.#prepare(spec)));
  }

  #prepare(spec: KernelSpec): Promise<void> {
    const { kernels, preparing } = this.#of(spec.module);
    const key = labelOf(spec);
    if (kernels.has(key)) return Promise.resolve();
    const underWay = preparing.get(key);
    if (underWay) return underWay;
    const { interface: rest, descriptor } = this.#failures.guard(key, FILTERS, () => this.#partsOf(spec));
    const prepared = this.#gpu
      .createComputePipelineAsync(descriptor)
      .then(
        (pipeline) => {
          if (!kernels.has(key)) kernels.set(key, { ...rest, pipeline });
        },
        () => undefined,
      )
      .finally(() => preparing.delete(key));
    preparing.set(key, prepared);
    return prepared;
  }

  #of(module: WgslModule): Compiled {
    let compiled = this.#compiled.get(module);
    if (!compiled) {
      compiled = { kernels: new Map(), preparing: new Map(), shaders: new Map() };
      this.#compiled.set(module, compiled);
    }
    return compiled;
  }

  #partsOf(spec: KernelSpec): KernelParts {
    return kernelParts(this.#gpu, spec, this.#paramsLayout, ({ module, element }) => {
      const { shaders } = this.#of(module);
      const label = `${module.name}<${element}>`;
      let shader = shaders.get(label);
      if (!shader) {
        shaders.set(label, (shader = this.#gpu.createShaderModule({ label, code: wgslOf(module, element) })));
      }
      return shader;
    });
  }
}
