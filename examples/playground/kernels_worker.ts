// The kernel explorer's device: makes pictures and measures, so that the page itself stays responsive.
import { isPossible, KERNELS } from "../../bench/kernels/rows.ts";
import { measureKernel, SAMPLES, type KernelRate } from "../../bench/measure.ts";
import { shareOf } from "../../bench/roofline/points.ts";
import { measureRoofs, type Roofs } from "../../src/kernels/roofs.ts";
import type { Device } from "../../src/runtime/device.ts";
import type { WgslModule } from "../../src/runtime/wgsl.ts";
import { multiply, subtract } from "../../src/ops/elementwise.ts";
import { fromArray, toArray, type Tensor } from "../../src/tensor/tensor.ts";
import type * as Trial from "./kernel_trial.ts";
import { KERNEL_PICTURES, type Shown } from "./kernel_pictures.ts";
import type * as Owners from "./ownership.ts";
import {
  OWN,
  SIDE,
  type Check,
  type CodeFault,
  type Duration,
  type KernelReply,
  type KernelRequest,
  type Values,
} from "./kernels_protocol.ts";

const tell = (reply: KernelReply, transfer: Transferable[] = []): void => self.postMessage(reply, { transfer });
const shaderOf = (kernel: string): string => kernel.split(".")[0]!;

let device: Device;
let trial: typeof Trial; // which shares the device of the tests' harness
let owners: typeof Owners;
let own: ((x: Tensor) => Tensor) | null = null; // the visitor's kernel
let roofs: Roofs | null = null;
/** A module without an interface, whose code is compiled alone. */
const BLANK = { name: OWN, entryPoints: {}, params: [], overrides: [] };
const rates = new Map<string, KernelRate>();

async function answer(request: KernelRequest): Promise<void> {
  switch (request.kind) {
    case "open":
      ({ device } = await import("../../test/harness/device.ts"));
      [trial, owners] = await Promise.all([import("./kernel_trial.ts"), import("./ownership.ts")]);
      return tell({
        kind: "opened",
        adapter: device.adapter,
        features: [...device.gpu.features].sort(),
        controls: Object.fromEntries([
          ...KERNEL_PICTURES.map(({ shader, controls }) => [shader, controls] as const),
          [OWN, [{ name: "reach", min: 1, max: 20, step: 1, value: 8 }]],
        ]),
        measured: [...new Set(KERNELS.filter((row) => isPossible(device, row)).map(({ kernel }) => shaderOf(kernel)))],
      });
    case "draw":
      return draw(request);
    case "own":
      return findOwned(request);
    case "try":
      return request.shader === OWN ? tryOwn(request.code!) : tryCode(request.shader, request.code);
    case "measure": {
      roofs ??= await measureRoofs(device);
      tell({ kind: "roofs", roofs });
      const chosen = KERNELS.filter(
        (row) => isPossible(device, row) && (request.shader === null || shaderOf(row.kernel) === request.shader),
      );
      for (const [i, measured] of chosen.entries()) {
        const rate = await measureKernel(device, measured);
        rates.set(`${rate.kernel} ${rate.what}`, rate);
        tell({ kind: "measured", rate, done: i + 1, total: chosen.length });
      }
      const [{ adapter }, date] = [device, new Date().toISOString().slice(0, 10)];
      const kernels = Array.from(rates.values(), (rate) => ({ ...rate, share: shareOf(rate, roofs!) }));
      return tell({
        kind: "report",
        report: { adapter, date, samples: SAMPLES, agent: navigator.userAgent, roofs, kernels },
      });
    }
  }
}

/** Twice, since the first call compiles: the second is timed. */
async function draw({ id, shader, values, photo }: Extract<KernelRequest, { kind: "draw" }>): Promise<void> {
  const make = shader === OWN ? drawOwn : KERNEL_PICTURES.find((picture) => picture.shader === shader)!.make;
  using _scope = device.scope({ awaits: true }); // nothing else runs in this worker meanwhile
  const input = fromArray(device, [1, SIDE, SIDE, 3], photo);
  await make(input, values);
  await device.finish();
  const start = performance.now();
  const { tensor, black, white } = await make(input, values);
  await device.finish();
  const milliseconds = performance.now() - start;
  const [, height, width, channels] = tensor.shape as [number, number, number, number];
  const levels = await toArray(tensor);
  const rgba = new Uint8ClampedArray(4 * width * height).fill(255);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++)
      rgba[4 * i + c] = (255 * (levels[i * channels + (c % channels)]! - black)) / (white - black);
  }
  tell({ kind: "drawn", id, rgba, width, height, milliseconds }, [rgba.buffer]);
}

/** The visitor's kernel on a picture whose light is from -reach / 2 to reach / 2, stretched to black and white. */
async function drawOwn(photo: Tensor, values: Values): Promise<Shown> {
  const number = (value: number): Tensor => fromArray(device, [1], Float32Array.of(value));
  const tensor = own!(multiply(subtract(photo, number(0.5)), number(values["reach"] as number)));
  const levels = await toArray(tensor);
  const [black, white] = levels.reduce(
    ([low, high], x) => [Math.min(low, x), Math.max(high, x)],
    [Infinity, -Infinity],
  );
  return { tensor, black, white: Math.max(white, black + 1e-6) };
}

/** Examples by shader; null where no kernel of it runs alone. */
const examples = new Map<string, Awaited<ReturnType<typeof owners.exampleOf>>>();

async function findOwned({ shader, code, index }: Extract<KernelRequest, { kind: "own" }>): Promise<void> {
  if (!examples.has(shader)) examples.set(shader, await owners.exampleOf(shader, await trial.operationsOf(shader)));
  const example = examples.get(shader);
  const ownership = example ? await owners.ownershipOf(shader, code, example, index) : null;
  tell({ kind: "owned", shader, ownership });
}

/** Tries WGSL in place of a shader's own, and leaves it in place if it can be run. */
async function tryCode(shader: string, code: string | null): Promise<void> {
  trial.useCode(shader, null);
  if (code === null) return tell({ kind: "tried", shader, faults: [], checks: [], before: null, after: null });
  const before = await trial.durationOf(device, shader);
  const tried = await withFaults({ ...trial.moduleOf(shader), code }, async () => {
    trial.useCode(shader, code);
    return { checks: await trial.checksOf(shader), after: await trial.durationOf(device, shader) };
  });
  if (tried.faults.length > 0) trial.useCode(shader, null);
  tell({ kind: "tried", shader, ...tried, before: tried.faults.length > 0 ? null : before });
}

async function tryOwn(code: string): Promise<void> {
  const tried = await withFaults({ ...BLANK, code }, async () => {
    const apply = trial.ownOperation(code);
    const checks = [await trial.gradientCheck(device, apply)];
    own = apply;
    return { checks, after: null };
  });
  tell({ kind: "tried", shader: OWN, ...tried, before: null });
}

interface Tried {
  readonly faults: readonly CodeFault[];
  readonly checks: readonly Check[];
  readonly after: Duration | null;
}

/** Gives what comes of code that compiles, or the faults of code that does not, or that cannot be launched. */
async function withFaults(module: WgslModule, work: () => Promise<Omit<Tried, "faults">>): Promise<Tried> {
  const nothing = { checks: [], after: null };
  const faults = await trial.compileFaults(device, module);
  if (faults.length > 0) return { faults, ...nothing };
  try {
    return { faults, ...(await work()) };
  } catch (error) {
    return { faults: [{ line: 1, message: (error as Error).message }], ...nothing };
  }
}

let work = Promise.resolve();
self.addEventListener("message", ({ data }: MessageEvent<KernelRequest>) => {
  work = work
    .then(() => answer(data))
    .catch((error: unknown) => tell({ kind: "failed", message: (error as Error).message }));
});
