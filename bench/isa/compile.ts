// The half of `npm run isa` that runs on the driver, in a process of its own: finds which pipelines the rows of `bench
// kernels` and `bench grad` take, by dry runs, and compiles each alone. The driver writes its listing to standard error,
// where a marker before each one says whose it is.
//   node test/harness/run.mjs ../bench/isa/compile MANIFEST [WORD...]
import { announce, finish, type CompiledPipeline, type Use } from "../../src/cli/isa/manifest.ts";
import { nearestRowsForward } from "../../src/kernels/nearest_rows.ts";
import { openDevice } from "../../src/node/device.ts";
import type { Device } from "../../src/runtime/device.ts";
import { labelOf, type KernelSpec } from "../../src/runtime/kernel.ts";
import { Zeros } from "../../test/harness/made_up_detector.ts";
import { isPossible, KERNELS, over, type Measured } from "../kernels/rows.ts";
import {
  inferenceRows,
  nameOfInference,
  nameOfStep,
  prepareInference,
  prepareStep,
  stepRows,
} from "../training/grad_rows.ts";
import { NETWORK_ROWS } from "../training/network_rows.ts";

type Found = Omit<CompiledPipeline, "uses"> & {
  readonly spec: KernelSpec;
  readonly uses: Map<string, Use>;
};

/** Notes the pipelines that a device which executes nothing is asked for. */
export class Search {
  readonly device: Device;
  readonly found = new Map<string, Found>();
  #use: Omit<Use, "intensity"> | null = null;

  constructor(real: Device) {
    const { device } = real.dryRun();
    const [kernelOf, dispatch] = [device.kernel.bind(device), device.dispatch.bind(device)];
    this.device = Object.assign(device, {
      kernel: (spec: KernelSpec) => {
        this.#note(spec);
        return kernelOf(spec);
      },
      dispatch: (...given: Parameters<Device["dispatch"]>) => {
        const [{ label }, , , , work] = given;
        if (work) {
          const { uses } = this.found.get(label)!;
          const use = this.#use && uses.get(this.#use.row);
          if (use) uses.set(use.row, { ...use, intensity: Math.max(use.intensity, work.operations / work.bytes) });
        }
        dispatch(...given);
      },
    });
  }

  #note(spec: KernelSpec): void {
    const label = labelOf(spec);
    const { module, entryPoint, element } = spec;
    const { name: shader, code } = module;
    let found = this.found.get(label);
    if (!found) {
      found = { label, shader, entryPoint, code, element, spec, uses: new Map() };
      this.found.set(label, found);
    }
    if (this.#use && !found.uses.has(this.#use.row)) found.uses.set(this.#use.row, { ...this.#use, intensity: 0 });
  }

  /** Attributes to a row what `work` asks for. */
  async in(use: Omit<Use, "intensity">, work: () => unknown): Promise<void> {
    this.#use = use;
    await work();
    this.#use = null;
  }
}

/** Rows in which the device itself chooses among forms that `KERNELS` names one by one. */
const CHOSEN: readonly Measured[] = [
  {
    kernel: "nearest_rows.forward and merge",
    what: "9 of 5000 rows of 272 for each of 784",
    bytes: 0,
    flops: 0,
    prepare: over(
      [
        [784, 272],
        [5000, 272],
      ],
      (queries, rows) => nearestRowsForward(queries, rows, 9),
    ),
  },
];

/** True if a row's name says the form: "matmul.forward, uniform"; products on matrices are never a fixed choice. */
export const isForced = (kernel: string): boolean => kernel.includes(", ") || kernel.startsWith("subgroup_product.");

/** All pipelines of the benchmarks' rows. */
async function searchAll(real: Device): Promise<readonly Found[]> {
  const search = new Search(real);
  const { device } = search;
  for (const { kernel, what, prepare } of [...KERNELS, ...NETWORK_ROWS, ...CHOSEN].filter((row) =>
    isPossible(device, row),
  )) {
    using _scope = device.scope({ awaits: true });
    const run = prepare(device); // what makes the inputs is not what the row measures
    await search.in({ row: `${kernel}, ${what}`, isForced: isForced(kernel) }, run);
  }
  for (const row of stepRows(device)) {
    await search.in({ row: nameOfStep(row), isForced: false }, async () => {
      const { run, release } = prepareStep(device, row, () => new Zeros(1, 0));
      for (let i = 0; i < row.warmUps; i++) await run();
      release();
    });
  }
  for (const row of inferenceRows(device)) {
    await search.in({ row: nameOfInference(row), isForced: false }, async () => {
      const { run, release } = await prepareInference(device, row);
      await run();
      release();
    });
  }
  return [...search.found.values()].filter(({ uses }) => uses.size > 0);
}

/** True if the name of the pipeline, or of a row that takes it, has one of the words; without words always. */
const isWanted = ({ label, uses }: Found, words: readonly string[]): boolean =>
  words.length === 0 || words.some((word) => [label, ...uses.keys()].some((name) => name.includes(word)));

/** Writes the manifest last: where it is, everything was compiled. Does not return. */
export async function main([path, ...words]: readonly string[]): Promise<void> {
  const device = await openDevice();
  const pipelines = (await searchAll(device)).filter((found) => isWanted(found, words));
  pipelines.forEach(({ spec }, i) => {
    announce(i);
    device.kernel(spec);
  });
  finish(path!, {
    adapter: device.adapter.description,
    pipelines: pipelines.map(({ spec: _, uses, ...rest }) => ({ ...rest, uses: [...uses.values()] })),
  });
}
