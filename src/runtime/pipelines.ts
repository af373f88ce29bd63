import type { Failures } from "./failures.ts";
import { kernelParts, labelOf, wgslOf, type Kernel, type KernelParts, type KernelSpec } from "./kernel.ts";
import type { WgslModule } from "./wgsl.ts";

const FILTERS: readonly GPUErrorFilter[] = ["validation", "internal"];

/** Compiled objects of one module. Module names need not be unique: a kernel may be redefined under its name. */
interface Compiled {
  readonly kernels: Map<string, Kernel>;
  readonly preparing: Map<string, Promise<void>>;
  /** Keyed by module name and element. */
  readonly shaders: Map<string, GPUShaderModule>;
}

/** Compiles each kernel spec once and caches the result. */
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

  /** The compiled kernel of a spec; the first call compiles it and waits for the compiler. */
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

  /** Specs of all kernels requested so far. */
  get specs(): readonly KernelSpec[] {
    return [...this.#compiled.values()].flatMap(({ kernels }) => [...kernels.values()].map(({ spec }) => spec));
  }

  /** Clears the cache, for a device that is lost. */
  clear(): void {
    this.#compiled.clear();
  }

  /** Compiles in parallel the kernels that are not cached. If one fails, `kernel` reports the reason. */
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
