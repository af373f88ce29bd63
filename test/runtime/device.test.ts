import { afterEach, describe, expect, test } from "vitest";
import matmul from "../../shaders/matmul.wgsl";
import scan from "../../shaders/scan.wgsl";
import { reportAdapter, requestDevice } from "../../src/runtime/acquire.ts";
import type { Device } from "../../src/runtime/device.ts";
import { AdapterError, DeviceLostError, GpuError } from "../../src/runtime/errors.ts";
import type { MatrixUnits } from "../../src/runtime/matrices.ts";
import { openDevice } from "../../src/node/device.ts";
import { binaryForward } from "../../src/kernels/elementwise.ts";
import { matmulForward } from "../../src/kernels/products/matmul.ts";
import { empty, fromArray, toArray, zeros } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";

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
    expect(() => device.kernel({ ...spec, entryPoint: "backward" })).toThrow(
      "scan.backward<f32>: no such entry point; the WGSL has block_totals, forward",
    );
  });

  test("an override", () => {
    expect(() => device.kernel({ ...spec, constants: { SPEED: 11 } })).toThrow(
      "no override SPEED; the WGSL has OFFSETS, WORKGROUP_SIZE",
    );
  });

  test("a binding and a param", () => {
    const kernel = device.kernel(spec);
    const { buffer } = empty(device, [4], "u32").allocation;
    expect(() => device.dispatch(kernel, { input: buffer, offsets: buffer }, { count: 4 }, [1, 1])).toThrow(
      "scan.forward<f32>: missing binding output; the WGSL has input, offsets, output",
    );
    expect(() =>
      device.dispatch(kernel, { input: buffer, offsets: buffer, output: buffer, extra: buffer }, { count: 4 }, [1, 1]),
    ).toThrow("unknown binding extra; the WGSL has input, offsets, output");
    expect(() =>
      device.dispatch(kernel, { input: buffer, offsets: buffer, output: buffer }, { size: 4 }, [1, 1]),
    ).toThrow("missing param count, unknown param size; the WGSL has count");
    expect(() =>
      device.dispatch(kernel, { input: buffer, offsets: buffer, output: buffer }, { count: -1 }, [1, 1]),
    ).toThrow("param count is -1, which is not a u32");
  });
});

describe("errors of the GPU reach the caller:", () => {
  test("WGSL that does not compile, with the kernel's name", async () => {
    const own = await ownDevice();
    const broken = { ...scan, name: "broken", code: scan.code.replace("var total", "let total") };
    own.kernel({ module: broken, entryPoint: "forward", element: "f32" });
    const failure: unknown = await own.settle().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(GpuError);
    expect((failure as Error).message).toMatch(/^broken\.forward<f32>: .*cannot assign/s);
    await own.settle(); // said once
  });

  test("an error that nobody waited for, by the next call", async () => {
    const own = await ownDevice();
    own.gpu.createBuffer({ size: 4, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE });
    await own.gpu.queue.onSubmittedWorkDone();
    expect(() => own.submit()).toThrow(/usage/i); // each implementation in its own words
    own.submit();
  });

  test("a lost device, by every call from then on", async () => {
    const own = await ownDevice();
    const tensor = fromArray(own, [2], Float32Array.of(1, 2));
    own.destroy();
    await own.lost;
    for (let i = 0; i < 2; i++) await expect(toArray(tensor)).rejects.toThrow("the GPU device was lost (destroyed)");
    expect(() => binaryForward(tensor, tensor, "add")).toThrow("open a new device");
    expect(() => fromArray(own, [1], Float32Array.of(1))).toThrow("lost");
  });

  test("a destroyed device, at once, by every call", async () => {
    const own = await ownDevice();
    const { buffer } = fromArray(own, [4], new Float32Array(4)).allocation;
    const kernel = own.kernel({ module: scan, entryPoint: "forward", element: "f32" });
    const underWay = own.read(buffer, 16);
    // an error of before does not hide the loss
    own.gpu.createBuffer({ size: 4, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE });
    own.destroy();
    const calls: readonly (() => unknown)[] = [
      () => own.allocate(16),
      () => own.kernel({ module: scan, entryPoint: "forward", element: "f32" }),
      () => own.dispatch(kernel, { input: buffer, output: buffer }, { count: 4 }, [1, 1]),
      () => own.write(buffer, new Float32Array(4)),
      () => own.clear(buffer, 16),
      () => own.copy(buffer, 0, buffer, 8, 8),
      () => own.submit(),
    ];
    for (const call of calls) expect(call, String(call)).toThrow(DeviceLostError);
    await expect(underWay).rejects.toThrow(DeviceLostError);
    for (const wait of [() => own.read(buffer, 16), () => own.finish(), () => own.settle()]) {
      await expect(wait(), String(wait)).rejects.toThrow(DeviceLostError);
    }
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

  test("each dispatch has its own params, however many there are", async () => {
    const values = Uint32Array.from({ length: 64 }, (_, i) => i + 1);
    const input = fromArray(device, [64], values);
    const kernel = device.kernel({ module: scan, entryPoint: "forward", element: "f32" });
    // Sums of what comes before each element, and after the last their total; more in turn than one submission holds.
    const outputs = Array.from({ length: 1100 }, (_, i) => ({
      output: fromArray(device, [64], new Uint32Array(64)),
      count: 1 + (i % 63),
    }));
    for (const { output, count } of outputs) {
      device.dispatch(
        kernel,
        { input: input.allocation.buffer, offsets: input.allocation.buffer, output: output.allocation.buffer },
        { count },
        [1, 1],
      );
    }
    for (const [i, { count, output }] of outputs.entries()) {
      device.release(output.allocation);
      if (i % 100 !== 0 && i < 1020) continue;
      const want = values.map((_, at) => (at <= count ? (at * (at + 1)) / 2 : 0));
      expect(new Uint32Array(await device.read(output.allocation.buffer, 256)), `dispatch ${i}`).toEqual(want);
    }
  });

  test("many reads under way at once each get their own, though the memory is lent again meanwhile", async () => {
    const reads = Array.from({ length: 60 }, (_, i) => {
      const tensor = fromArray(device, [3], Float32Array.of(i, i + 0.5, -1 - i));
      const read = toArray(tensor);
      device.release(tensor.allocation);
      return read;
    });
    (await Promise.all(reads)).forEach((values, i) => expect(values).toEqual(Float32Array.of(i, i + 0.5, -1 - i)));
  });

  test("what goes over the bus is counted in bytes", async () => {
    const tensor = zeros(device, [3], "u32");
    const before = device.counters();
    device.write(tensor.allocation.buffer, new Uint8Array(11));
    await device.read(tensor.allocation.buffer, 5);
    const after = device.counters();
    expect(after.bytesUploaded - before.bytesUploaded).toBe(11);
    expect(after.bytesRead - before.bytesRead).toBe(5);
  });

  test("nothing can be read", async () => {
    expect(await device.read(zeros(device, [1]).allocation.buffer, 0)).toHaveProperty("byteLength", 0);
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

  test("a loop over scopes makes no bind groups after its first round, in whatever order its memory comes back", () => {
    const a = zeros(device, [8]);
    const round = (late: number) => {
      using _scope = device.scope();
      const made = [a, a, a].map((x) => binaryForward(x, x, "add"));
      const sum = binaryForward(binaryForward(made[0]!, made[1]!, "add"), made[2]!, "add");
      device.release(made[late]!.allocation);
      device.release(sum.allocation);
    };
    round(0);
    const before = device.counters().bindGroups;
    for (let i = 0; i < 12; i++) round(i % 3);
    expect(device.counters().bindGroups).toBe(before);
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
    // a view into a larger array
    device.write(tensor.allocation.buffer, Uint8Array.of(0, 0, 0, 0, 9, 8, 7, 6, 5, 4).subarray(4, 10));
    expect(new Uint8Array(await device.read(tensor.allocation.buffer, 8))).toEqual(
      Uint8Array.of(9, 8, 7, 6, 5, 4, 0, 0),
    );
  });

  test("nothing is dispatched for nothing", async () => {
    const nothing = empty(device, [0, 4]);
    const before = device.counters().dispatches;
    expect(await toArray(binaryForward(nothing, nothing, "add"))).toHaveLength(0);
    expect(device.counters().dispatches).toBe(before);
  });

  test.skipIf(!device.gpu.features.has("timestamp-query"))("a profile names the kernels and counts them", async () => {
    const a = zeros(device, [8]);
    const times = await device.profile(() => {
      for (let i = 0; i < 3; i++) device.release(binaryForward(a, a, "multiply").allocation);
    });
    expect(times.map(({ label, dispatches }) => [label, dispatches])).toEqual([
      ["elementwise.forward<f32x4, OP=2>", 3],
    ]);
  });
});

describe("a trace", () => {
  const [a, b, bias] = [zeros(device, [1, 8, 12]), zeros(device, [1, 12, 16]), zeros(device, [16])];
  const work = () => {
    using _scope = device.scope();
    const product = matmulForward(a, b, { bias, activation: "relu" }, {});
    binaryForward(product, product, "add");
  };

  test("says of every dispatch what it cannot do without; a tensor that is read twice counts once", async () => {
    const traced = await device.trace(work);
    expect(traced.map(({ label }) => label.split("<")[0])).toEqual([
      expect.stringMatching(/^(matmul|tiled_product)\./),
      "elementwise.forward",
    ]);
    const unused = 4; // where slices of a sum would go
    expect(traced[0]).toMatchObject({
      bytes: 4 * (8 * 12 + 12 * 16 + 16 + 8 * 16) + unused,
      operations: 2 * 8 * 12 * 16,
    });
    expect(traced[1]).toMatchObject({ bytes: 4 * 2 * 8 * 16, operations: 0 });
  });

  test("sees what a program does as what it was captured from", async () => {
    const eager = await device.trace(work);
    const { program } = device.capture(() => {
      const product = matmulForward(a, b, { bias, activation: "relu" }, {});
      return binaryForward(product, product, "add");
    });
    expect(await device.trace(() => program.run())).toEqual(eager);
    program.release();
  });

  test("is one at a time, and ends with what it traces, if that throws too", async () => {
    await expect(device.trace(async () => void (await device.trace(work)))).rejects.toThrow(
      "trace: another trace is running",
    );
    expect(await device.trace(() => undefined)).toEqual([]);
  });
});

test("a profile on a device without timestamps is refused", async () => {
  const own = await ownDevice({ minimal: true });
  await expect(own.profile(() => undefined)).rejects.toThrow("profiling needs the feature timestamp-query");
});

test("a kernel knows its workgroup size, from which the number of workgroups comes", () => {
  const spec = { module: scan, entryPoint: "forward", element: "f32" } as const;
  expect(
    [device.kernel(spec), device.kernel({ ...spec, constants: { WORKGROUP_SIZE: 32 } })].map(
      ({ workgroupSize }) => workgroupSize,
    ),
  ).toEqual([64, 32]);
  expect([device.workgroups(0, 64), device.workgroups(64, 64), device.workgroups(65, 64)]).toEqual([
    [0, 1],
    [1, 1],
    [2, 1],
  ]);
  const most = device.gpu.limits.maxComputeWorkgroupsPerDimension;
  expect([device.workgroups(most, 1), device.workgroups(most + 1, 1)]).toEqual([
    [most, 1],
    [Math.ceil((most + 1) / 2), 2],
  ]);
});

const FEATURE = "chromium-experimental-subgroup-matrix";
const STANDARD = "subgroup-matrix";
const MATRICES = { M: 16, N: 16, K: 16, componentType: "f16", resultComponentType: "f32" };
const F16_IN_F16 = { ...MATRICES, resultComponentType: "f16" };
const F32 = { M: 8, N: 8, K: 8, componentType: "f32", resultComponentType: "f32" };
const UNIT = { m: 16, n: 16, k: 16, type: "f16" } as const;
const UNIT_F32 = { m: 8, n: 8, k: 8, type: "f32" } as const;

describe("acquiring", () => {
  test("nothing gives an error with what to do", async () => {
    const noGpu = { requestAdapter: () => Promise.resolve(null) } as unknown as GPU;
    for (const attempt of [requestDevice(noGpu, "install one"), reportAdapter(noGpu, "install one")]) {
      const failure: unknown = await attempt.catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(AdapterError);
      expect((failure as Error).message).toBe("no WebGPU adapter: install one");
    }
  });

  test("a device is asked for with the wanted features that there are and the largest memory, or with nothing if minimal", async () => {
    const asked: GPUDeviceDescriptor[] = [];
    const adapter = {
      info: {},
      features: new Set(["timestamp-query", "shader-f16", "float32-filterable"]),
      limits: {
        maxBufferSize: 1000,
        maxStorageBufferBindingSize: 900,
        maxComputeWorkgroupStorageSize: 800,
        maxComputeWorkgroupSizeX: 77,
      },
      requestDevice: (descriptor: GPUDeviceDescriptor) => (asked.push(descriptor), Promise.reject(new Error("seen"))),
    };
    const gpu = { requestAdapter: () => Promise.resolve(adapter) } as unknown as GPU;
    for (const minimal of [false, true]) await expect(requestDevice(gpu, "", { minimal })).rejects.toThrow("seen");
    expect(asked).toMatchObject([
      {
        requiredFeatures: ["shader-f16", "timestamp-query"],
        requiredLimits: {
          maxBufferSize: 1000,
          maxStorageBufferBindingSize: 900,
          maxComputeWorkgroupStorageSize: 800,
        },
      },
      { requiredFeatures: [], requiredLimits: {} },
    ]);
    expect(asked.map(({ requiredLimits }) => Object.keys(requiredLimits!).length)).toEqual([3, 0]);
  });

  test.each<
    readonly [
      string,
      Partial<GPUAdapterInfo> & { readonly subgroupMatrixConfigs?: readonly object[] },
      readonly string[],
      MatrixUnits | undefined,
    ]
  >([
    [
      "as kernels need them",
      { subgroupMaxSize: 32, subgroupMatrixConfigs: [F16_IN_F16, MATRICES] },
      ["shader-f16", FEATURE],
      { feature: FEATURE, lanes: 32, kinds: [UNIT] },
    ],
    [
      "by the standard name, which goes before",
      { subgroupMaxSize: 32, subgroupMatrixConfigs: [MATRICES] },
      ["shader-f16", FEATURE, STANDARD],
      { feature: STANDARD, lanes: 32, kinds: [UNIT] },
    ],
    [
      "of several extents: the one of most products",
      { subgroupMaxSize: 32, subgroupMatrixConfigs: [{ ...MATRICES, N: 8, K: 8 }, { ...MATRICES, N: 8 }, MATRICES] },
      ["shader-f16", FEATURE],
      { feature: FEATURE, lanes: 32, kinds: [UNIT] },
    ],
    [
      "of both types, and f16 that is summed in f16",
      { subgroupMaxSize: 32, subgroupMatrixConfigs: [F32, F16_IN_F16, MATRICES] },
      ["shader-f16", FEATURE],
      { feature: FEATURE, lanes: 32, kinds: [UNIT, UNIT_F32] },
    ],
    [
      "of f32 alone, without half precision",
      { subgroupMaxSize: 32, subgroupMatrixConfigs: [F32, MATRICES] },
      [FEATURE],
      { feature: FEATURE, lanes: 32, kinds: [UNIT_F32] },
    ],
    [
      "of the extents of Intel's",
      { subgroupMaxSize: 32, subgroupMatrixConfigs: [{ ...MATRICES, M: 8 }] },
      ["shader-f16", FEATURE],
      { feature: FEATURE, lanes: 32, kinds: [{ ...UNIT, m: 8 }] },
    ],
    ["without half precision", { subgroupMaxSize: 32, subgroupMatrixConfigs: [MATRICES] }, [FEATURE], undefined],
    [
      "of extents that fours do not fill",
      { subgroupMaxSize: 32, subgroupMatrixConfigs: [{ ...MATRICES, K: 6 }] },
      ["shader-f16", FEATURE],
      undefined,
    ],
    [
      "of integers",
      {
        subgroupMaxSize: 32,
        subgroupMatrixConfigs: [{ ...MATRICES, componentType: "i8", resultComponentType: "i32" }],
      },
      ["shader-f16", FEATURE],
      undefined,
    ],
    [
      "summed in half precision",
      { subgroupMaxSize: 32, subgroupMatrixConfigs: [F16_IN_F16] },
      ["shader-f16", FEATURE],
      undefined,
    ],
    ["that are not said to be of any kind", { subgroupMaxSize: 32 }, ["shader-f16", FEATURE], undefined],
    ["of subgroups of unknown size", { subgroupMatrixConfigs: [MATRICES] }, ["shader-f16", FEATURE], undefined],
    [
      "of subgroups larger than a workgroup",
      { subgroupMaxSize: 512, subgroupMatrixConfigs: [MATRICES] },
      ["shader-f16", FEATURE],
      undefined,
    ],
    ["in name alone", { subgroupMaxSize: 32, subgroupMatrixConfigs: [MATRICES] }, ["shader-f16"], undefined],
  ])("subgroup matrices %s", async (_what, info, names, units) => {
    const asked: GPUDeviceDescriptor[] = [];
    const grant = (descriptor: GPUDeviceDescriptor) => (
      asked.push(descriptor),
      Promise.resolve(device.dryRun().device.gpu)
    );
    const adapter = {
      info: { description: "Thing 2", ...info },
      features: new Set(names),
      limits: {},
      requestDevice: grant,
    };
    const gpu = { requestAdapter: () => Promise.resolve(adapter) } as unknown as GPU;
    const report = await reportAdapter(gpu, "");
    expect([report.adapter.matrices, report.missing.includes(FEATURE)]).toEqual([units, units === undefined]);
    expect((await requestDevice(gpu, "")).adapter.matrices).toEqual(units);
    expect((await requestDevice(gpu, "", { minimal: true })).adapter.matrices).toBeUndefined();
    const requested = asked.map(({ requiredFeatures }) =>
      [...requiredFeatures!].filter((name) => [FEATURE, STANDARD].includes(name)),
    );
    expect(requested).toEqual([units ? [units.feature] : [], []]);
  });

  test("an adapter that refuses gives an error with its name and its words", async () => {
    const adapter = {
      info: { description: "Thing 1" },
      features: new Set(),
      limits: {},
      requestDevice: () => Promise.reject(new Error("out of devices")),
    };
    const gpu = { requestAdapter: () => Promise.resolve(adapter) } as unknown as GPU;
    const failure: unknown = await requestDevice(gpu, "").catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(AdapterError);
    expect((failure as Error).message).toBe("the adapter Thing 1 refused a device: out of devices");
  });

  test("a report says what the adapter has and lacks", async () => {
    const limits = { maxBufferSize: 7 };
    const info = { vendor: "v", architecture: "llvmpipe", description: "" };
    const adapter = { info, features: new Set(["timestamp-query", "b", "a"]), limits };
    const report = await reportAdapter({ requestAdapter: () => Promise.resolve(adapter) } as unknown as GPU, "");
    expect(report).toEqual({
      adapter: { vendor: "v", architecture: "llvmpipe", description: "llvmpipe", software: true },
      features: ["a", "b", "timestamp-query"],
      missing: ["shader-f16", "chromium-experimental-subgroup-matrix"],
      matrices: [],
      limits,
    });
  });

  test("a report says which matrices an adapter offers, also if no kernel can use them", async () => {
    const matrices = "chromium-experimental-subgroup-matrix";
    const small = { M: 8, N: 8, K: 8, componentType: "f16", resultComponentType: "f16" };
    const info = { description: "a GPU", subgroupMaxSize: 32, subgroupMatrixConfigs: [small] };
    const reportOf = (more: object) => {
      const adapter = { info: { ...info, ...more }, features: new Set([matrices, "shader-f16"]), limits: {} };
      return reportAdapter({ requestAdapter: () => Promise.resolve(adapter) } as unknown as GPU, "");
    };
    const lacking = await reportOf({});
    expect(lacking.matrices).toEqual(["8x8x8 f16 to f16"]);
    expect(lacking.missing).toContain(matrices);
    const fit = { M: 16, N: 16, K: 16, componentType: "f16", resultComponentType: "f32" };
    const having = await reportOf({ subgroupMatrixConfigs: [small, fit] });
    expect(having.matrices).toEqual(["8x8x8 f16 to f16", "16x16x16 f16 to f32"]);
    expect(having.missing).not.toContain(matrices);
    expect(having.adapter.matrices).toEqual({ feature: matrices, lanes: 32, kinds: [UNIT] });
  });

  test("a minimal device has WebGPU's default limits, and every kernel form of the matrix product compiles on it", async () => {
    const own = await ownDevice({ minimal: true });
    expect(own.gpu.limits.maxStorageBuffersPerShaderStage).toBe(8);
    expect(own.gpu.limits.maxComputeWorkgroupStorageSize).toBe(16_384);
    expect(own.maxBindingBytes).toBe(128 << 20);
    expect(own.gpu.features.has("shader-f16")).toBe(false);
    for (const entryPoint of ["forward", "forward_uniform_b"])
      own.kernel({ module: matmul, entryPoint, element: "f32x4" });
    await own.settle();
  });

  test("tensors of two devices do not mix, and none may be larger than a buffer", async () => {
    const own = await ownDevice({ minimal: true });
    expect(() => binaryForward(zeros(device, [4]), zeros(own, [4]), "add")).toThrow("expected tensors of one device");
    expect(() => empty(own, [(1 << 26) + 1])).toThrow(
      "a tensor of 268435460 bytes is larger than any buffer of this device (268435456); use a smaller batch",
    );
  });
});
