import { expect, test, vi } from "vitest";
import scan from "../../shaders/scan.wgsl";
import { openDevice } from "../../src/node/device.ts";
import { add, multiply } from "../../src/ops/elementwise.ts";
import { matmul } from "../../src/ops/matmul.ts";
import { GpuError } from "../../src/runtime/errors.ts";
import { empty, fromArray, release, toArray, zeros, type Tensor } from "../../src/tensor/tensor.ts";

const device = await openDevice(); // with nothing compiled
const outside = fromArray(
  device,
  [1, 4, 4],
  Float32Array.from({ length: 16 }, (_, i) => i),
);

function work(): Tensor {
  using scope = device.scope();
  const inside = fromArray(device, [1, 4, 4], new Float32Array(16).fill(2));
  const { result } = device.capture(() => add(multiply(outside, inside), zeros(device, [1, 4, 4])));
  return scope.keep(matmul(result, outside));
}

test("what was prepared is not compiled again, by whoever asks and however often, and nothing else has changed", async () => {
  const [sync, ahead] = [
    vi.spyOn(device.gpu, "createComputePipeline"),
    vi.spyOn(device.gpu, "createComputePipelineAsync"),
  ];
  const [memory, counters] = [device.memory(), device.counters()];
  await Promise.all([device.prepare(work), device.prepare(work)]);
  await device.prepare(work);
  expect(device.memory()).toEqual(memory);
  expect(device.counters()).toEqual(counters);
  const kernels = ahead.mock.calls.length;
  expect(new Set(ahead.mock.calls.map(([{ label }]) => label)).size).toBe(kernels);
  expect(kernels).toBeGreaterThanOrEqual(3);
  const output = work();
  expect(await toArray(output)).toEqual(
    Float32Array.from({ length: 16 }, (_, i) => {
      const [row, column] = [Math.floor(i / 4), i % 4];
      return [0, 1, 2, 3].reduce((sum, k) => sum + 2 * (4 * row + k) * (4 * k + column), 0);
    }),
  );
  expect(sync).not.toHaveBeenCalled();
  expect(ahead).toHaveBeenCalledTimes(kernels);
});

test("what fails inside, or reads back, leaves the device as it was", async () => {
  await expect(
    device.prepare(() => {
      throw new Error("no");
    }),
  ).rejects.toThrow("no");
  let read: Promise<unknown> | null = null;
  await device.prepare(() => {
    read = toArray(empty(device, [1]));
  });
  await expect(read).rejects.toThrow("prepare: nothing can be read back inside");
  expect(await toArray(zeros(device, [1]))).toEqual(Float32Array.of(0));
});

test("a program that is run inside does nothing, and what is prepared inside leaves the outer one a dry run", async () => {
  const { program } = device.capture(() => add(outside, outside));
  const before = device.counters();
  await device.prepare(() => {
    program.run();
    void device.prepare(() => undefined);
    expect(device.isDryRun).toBe(true);
    device.trim();
    zeros(device, [8]);
  });
  expect(device.isDryRun).toBe(false);
  expect(device.counters()).toEqual(before);
  program.release();
});

test("a kernel that does not compile is said by the next call, with its name", async () => {
  const own = await openDevice();
  const broken = { ...scan, name: "broken", code: scan.code.replace("var total", "let total") };
  await own.prepare(() => own.kernel({ module: broken, entryPoint: "forward", element: "f32" }));
  const failure: unknown = await own.settle().catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(GpuError);
  expect((failure as Error).message).toMatch(/^broken\.forward<f32>: .*cannot assign/s);
  own.destroy();
});

test("a dry run counts the bytes of every buffer, and of what was read back knows nothing", async () => {
  const { device: idle, held } = device.dryRun();
  const before = held.bytes;
  const tensor = fromArray(idle, [1000], new Float32Array(1000).fill(1));
  expect(held.bytes - before).toBe(4096); // whole granules of 256 bytes
  expect(await toArray(multiply(tensor, tensor))).toEqual(new Float32Array(1000));
  expect(held.bytes - before).toBe(2 * 4096 + 4000);
  const { program } = idle.capture(() => zeros(idle, [1 << 20]));
  const peak = held.bytes;
  program.release();
  release(tensor);
  expect(held.bytes - before).toBe(2 * 4096 + 4000);
  expect(held.peakBytes).toBe(peak);
  expect(peak - before).toBe(2 * 4096 + 4000 + (1 << 22));
});
