// The kernel explorer's device: makes pictures and measures, so that the page itself stays responsive.
import { isPossible, KERNELS } from "../../bench/kernels/rows.ts";
import { measureKernel, SAMPLES, type KernelRate } from "../../bench/measure.ts";
import { shareOf } from "../../bench/roofline/points.ts";
import { openDevice } from "../../src/browser/device.ts";
import { measureRoofs, type Roofs } from "../../src/kernels/roofs.ts";
import type { Device } from "../../src/runtime/device.ts";
import { fromArray, toArray } from "../../src/tensor/tensor.ts";
import { KERNEL_PICTURES } from "./kernel_pictures.ts";
import { SIDE, type KernelReply, type KernelRequest } from "./kernels_protocol.ts";

const tell = (reply: KernelReply, transfer: Transferable[] = []): void => self.postMessage(reply, { transfer });
const shaderOf = (kernel: string): string => kernel.split(".")[0]!;

let device: Device;
let roofs: Roofs | null = null;
const rates = new Map<string, KernelRate>();

async function answer(request: KernelRequest): Promise<void> {
  switch (request.kind) {
    case "open":
      device = await openDevice();
      return tell({
        kind: "opened",
        adapter: device.adapter,
        features: [...device.gpu.features].sort(),
        controls: Object.fromEntries(KERNEL_PICTURES.map(({ shader, controls }) => [shader, controls])),
        measured: [...new Set(KERNELS.filter((row) => isPossible(device, row)).map(({ kernel }) => shaderOf(kernel)))],
      });
    case "draw":
      return draw(request);
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
  const { make } = KERNEL_PICTURES.find((picture) => picture.shader === shader)!;
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

let work = Promise.resolve();
self.addEventListener("message", ({ data }: MessageEvent<KernelRequest>) => {
  work = work
    .then(() => answer(data))
    .catch((error: unknown) => tell({ kind: "failed", message: (error as Error).message }));
});
