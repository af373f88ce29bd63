import { afterEach, describe, expect, test } from "vitest";
import matmul from "../../shaders/matmul.wgsl";
import scan from "../../shaders/scan.wgsl";
import { requestDevice } from "../../src/runtime/acquire.ts";
import type { Device } from "../../src/runtime/device.ts";
import { openDevice } from "../../src/node/device.ts";
import { binaryForward } from "../../src/kernels/elementwise.ts";
import { empty, fromArray, toArray, zeros } from "../../src/tensor/tensor.ts";
import { device } from "../device.ts";

/** A device that a test may break. */
const opened: Device[] = [];
async function ownDevice(...words: Parameters<typeof openDevice>): Promise<Device> {
  const own = await openDevice(...words);
  opened.push(own);
  return own;
}
afterEach(() => {
  for (const own of opened.splice(0)) own.destroy();
});

describe("names that the WGSL does not have are refused with those it has:", () => {
  const spec = { module: scan, entryPoint: "forward", element: "f32" } as const;

  test("an entry point", () => {
    expect(() => device.kernel({ ...spec, entryPoint: "backward" })).toThrow("scan.backward<f32>: no such entry point; the WGSL has forward");
  });

  test("an override", () => {
    expect(() => device.kernel({ ...spec, constants: { SPEED: 11 } })).toThrow("no override SPEED; the WGSL has WORKGROUP_SIZE");
  });

  test("a binding and a param", () => {
    const kernel = device.kernel(spec);
    const { buffer } = empty(device, [4], "u32").allocation;
    expect(() => device.dispatch(kernel, { input: buffer }, { count: 4 }, [1, 1])).toThrow("scan.forward<f32>: missing binding output");
    expect(() => device.dispatch(kernel, { input: buffer, output: buffer, extra: buffer }, { count: 4 }, [1, 1])).toThrow("unknown binding extra");
    expect(() => device.dispatch(kernel, { input: buffer, output: buffer }, { size: 4 }, [1, 1])).toThrow("missing param count, unknown param size");
    expect(() => device.dispatch(kernel, { input: buffer, output: buffer }, { count: -1 }, [1, 1])).toThrow("param count is -1, which is no u32");
  });
});

describe("errors of the GPU reach the caller:", () => {
  test("WGSL that does not compile, with the kernel's name", async () => {
    const own = await ownDevice();
    const broken = { ...scan, name: "broken", code: scan.code.replace("var total", "let total") };
    own.kernel({ module: broken, entryPoint: "forward", element: "f32" });
    await expect(own.settle()).rejects.toThrow(/^broken\.forward<f32>: .*cannot assign/s);
    await own.settle(); // said once
  });

  test("an error that nobody waited for, by the next call", async () => {
    const own = await ownDevice();
    own.gpu.createBuffer({ size: 4, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE });
    await own.gpu.queue.onSubmittedWorkDone();
    expect(() => own.submit()).toThrow("Buffer usages");
    own.submit();
  });

  test("a lost device, by every call from then on", async () => {
    const own = await ownDevice();
    const tensor = fromArray(own, [2], Float32Array.of(1, 2));
    own.destroy();
    await own.lost;
    for (let i = 0; i < 2; i++) await expect(toArray(tensor)).rejects.toThrow("the GPU device was lost (destroyed)");
    expect(() => binaryForward(tensor, tensor, "add")).toThrow("ask for a new device");
    expect(() => fromArray(own, [1], Float32Array.of(1))).toThrow("lost");
  });
});

describe("recording", () => {
  test("more dispatches than one submission has room for", async () => {
    let sum = fromArray(device, [4], Float32Array.of(0, 1, 2, 3));
    const one = fromArray(device, [4], Float32Array.of(1, 1, 1, 1));
    const before = device.counters();
    for (let i = 0; i < 1500; i++) sum = binaryForward(sum, one, "add");
    expect(await toArray(sum)).toEqual(Float32Array.of(1500, 1501, 1502, 1503));
    const after = device.counters();
    expect(after.dispatches - before.dispatches).toBe(1500);
    expect(after.submits - before.submits).toBe(2);
  });

  test("more workgroups than one dimension takes", async () => {
    const count = 65_536 * 64 + 5;
    const values = new Float32Array(count);
    values[count - 1] = 3;
    values[65_535 * 64] = 2;
    const x = fromArray(device, [count], values);
    const got = await toArray(binaryForward(x, x, "add"));
    expect([got[0], got[65_535 * 64], got[count - 1]]).toEqual([0, 4, 6]);
  });

  test("a write to recycled memory does not overtake what was recorded before", async () => {
    const a = fromArray(device, [64], new Float32Array(64).fill(2));
    const doubled = binaryForward(a, a, "add");
    device.release(a.allocation);
    const b = fromArray(device, [64], new Float32Array(64).fill(7));
    expect(b.allocation.buffer).toBe(a.allocation.buffer);
    expect((await toArray(doubled))[0]).toBe(4);
  });

  test("equal calls share one bind group", () => {
    const a = zeros(device, [8]);
    const run = () => device.release(binaryForward(a, a, "add").allocation);
    run();
    const before = device.counters().bindGroups;
    for (let i = 0; i < 10; i++) run();
    expect(device.counters().bindGroups).toBe(before);
  });

  test("byte counts that are no multiple of four are written", async () => {
    const tensor = zeros(device, [2], "u32");
    device.write(tensor.allocation.buffer, Uint8Array.of(1, 2, 3, 4, 5));
    expect(new Uint8Array(await device.read(tensor.allocation.buffer, 7))).toEqual(Uint8Array.of(1, 2, 3, 4, 5, 0, 0));
  });

  test("nothing is dispatched for nothing", async () => {
    const nothing = empty(device, [0, 4]);
    const before = device.counters().dispatches;
    expect(await toArray(binaryForward(nothing, nothing, "add"))).toHaveLength(0);
    expect(device.counters().dispatches).toBe(before);
  });

  test("a profile names the kernels and counts them", async () => {
    if (!device.gpu.features.has("timestamp-query")) return;
    const a = zeros(device, [8]);
    const times = await device.profile(() => {
      for (let i = 0; i < 3; i++) device.release(binaryForward(a, a, "multiply").allocation);
    });
    expect(times.map(({ label, dispatches }) => [label, dispatches])).toEqual([["elementwise.forward<f32x4, OP=2>", 3]]);
  });
});

describe("acquiring", () => {
  test("nothing gives an error with what to do", async () => {
    const noGpu = { requestAdapter: () => Promise.resolve(null) } as unknown as GPU;
    await expect(requestDevice(noGpu, "install one")).rejects.toThrow("no WebGPU adapter: install one");
  });

  test("a minimal device has WebGPU's default limits, and every kernel form of the matrix product compiles on it", async () => {
    const own = await ownDevice({ minimal: true });
    expect(own.gpu.limits.maxStorageBuffersPerShaderStage).toBe(8);
    expect(own.gpu.limits.maxComputeWorkgroupStorageSize).toBe(16_384);
    expect(own.maxTensorBytes).toBe(128 << 20);
    expect([...own.gpu.features].filter((name) => name === "shader-f16" || name === "subgroups")).toEqual([]);
    for (const entryPoint of ["forward", "forward_uniform_b"]) own.kernel({ module: matmul, entryPoint, element: "f32x4" });
    await own.settle();
  });

  test("tensors of two devices do not mix, and none may be larger than a binding", async () => {
    const own = await ownDevice({ minimal: true });
    expect(() => binaryForward(zeros(device, [4]), zeros(own, [4]), "add")).toThrow("expected tensors of one device");
    expect(() => empty(own, [1 << 26])).toThrow("a tensor of 268435456 bytes is larger than this device can bind (134217728); use a smaller batch");
  });
});
