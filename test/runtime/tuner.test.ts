import { afterEach, describe, expect, test } from "vitest";
import { conv2dBackwardInput, conv2dBackwardWeight, conv2dForward } from "../../src/kernels/conv2d.ts";
import { matmul } from "../../src/ops/matmul.ts";
import { normal } from "../../src/ops/random.ts";
import { GpuError } from "../../src/runtime/errors.ts";
import type { millisecondsOf } from "../../src/runtime/timing.ts";
import { tune, tunePending, Tuner, type TuningStore } from "../../src/runtime/tuner.ts";
import { fromArray, toArray, type Tensor } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";

const { tuner: before } = device;
const use = (tuner: Tuner): Tuner => ((device as { tuner: Tuner }).tuner = tuner);
afterEach(() => void use(before));

/** A store in memory. */
function memory(kept: unknown = null) {
  const at = { kept, saves: 0 };
  const store: TuningStore = {
    load: () => Promise.resolve(at.kept),
    save: (choices) => {
      at.kept = { ...(at.kept as object | null), ...choices };
      at.saves++;
      return Promise.resolve();
    },
  };
  return { store, at };
}

/** A dispatch takes a millisecond. */
const count: typeof millisecondsOf = async (_device, run) => {
  const { dispatches } = device.counters();
  run();
  await device.finish();
  return device.counters().dispatches - dispatches;
};
const tunerOf = (store: TuningStore | null, always = false): Tuner => new Tuner(store, always, count);

const SEEDED = { seed: 1, stream: 1, step: 0 };

/** Work of three forms, of which "short" takes least; which were tried. */
function work() {
  const tried: string[] = [];
  const trial = (form: string): void => {
    tried.push(form);
    for (let i = 0; i < (form === "short" ? 1 : 3); i++) normal(device, [4], { seed: 1, stream: 1, step: i });
  };
  return { tried, choose: () => device.tuner.choose("work", ["long", "short", "also long"], trial) };
}

test("nothing is measured unless that was asked for", async () => {
  use(tunerOf(memory({ work: "short" }).store));
  const { choose, tried } = work();
  expect([choose(), choose()]).toEqual(["long", "long"]);
  expect(await tunePending(device)).toBe(false);
  expect([choose(), tried]).toEqual(["long", []]);
});

test("what tune's work meets is measured once, and the fastest form runs from then on", async () => {
  const { store, at } = memory();
  use(tunerOf(store));
  const { choose, tried } = work();
  expect(await tune(device, choose)).toBe(1);
  expect(choose()).toBe("short");
  expect(new Set(tried)).toEqual(new Set(["long", "short", "also long"]));
  const count = tried.length;
  expect(await tune(device, choose)).toBe(0);
  expect([tried.length, at.saves, at.kept]).toEqual([count, 1, { work: "short" }]);
});

test("a device that is to measure notes what comes up by itself", async () => {
  use(tunerOf(null, true));
  const { choose } = work();
  expect(choose()).toBe("long");
  expect(await tunePending(device)).toBe(true);
  expect(choose()).toBe("short");
  expect(await tunePending(device)).toBe(false);
});

test("who asks while it is measured waits for the choice, and nothing is measured twice", async () => {
  use(tunerOf(null, true));
  const { choose, tried } = work();
  choose();
  const first = tunePending(device);
  expect(device.tuner.isPending).toBe(true);
  expect(await tunePending(device)).toBe(true);
  expect(choose()).toBe("short");
  expect(await first).toBe(true);
  // once to compile, and three rounds
  expect([device.tuner.isPending, tried.filter((form) => form === "short").length]).toEqual([false, 4]);
});

test("another device uses what was kept, without measuring", async () => {
  const { store } = memory();
  use(tunerOf(store));
  await tune(device, work().choose);
  await use(tunerOf(store, true)).load();
  const { choose, tried } = work();
  expect([choose(), await tunePending(device), tried]).toEqual(["short", false, []]);
});

describe("is measured again where what was kept is", () => {
  test.each<[string, unknown]>([
    ["nothing", null],
    ["a word", "short"],
    ["a number in place of a form", { work: 1 }],
    ["a form that there is no more", { work: "shorter" }],
    ["of something else", { play: "short" }],
  ])("%s", async (_what, kept) => {
    const { store, at } = memory(typeof kept === "object" ? kept : null);
    use(tunerOf({ ...store, load: () => Promise.resolve(kept) }));
    const { choose } = work();
    expect([await tune(device, choose), choose()]).toEqual([1, "short"]);
    expect(at.kept).toMatchObject({ work: "short" });
  });

  test("in a place that can neither be read nor written", async () => {
    const refuse = () => Promise.reject(new Error("no"));
    use(tunerOf({ load: refuse, save: refuse }));
    const { choose } = work();
    expect([await tune(device, choose), choose()]).toEqual([1, "short"]);
  });
});

test("a form that the driver refuses is left out", async () => {
  use(new Tuner());
  const choose = () =>
    device.tuner.choose("refused", ["fixed", "refused"], (form) => {
      if (form === "refused") throw new GpuError("not on this driver");
      normal(device, [4096], { seed: 1, stream: 1, step: 1 });
    });
  expect([await tune(device, choose), choose()]).toEqual([1, "fixed"]);
});

test("nothing is measured within a capture", () => {
  const attempts: Promise<unknown>[] = [];
  const { program } = device.capture(() => void attempts.push(tune(device)));
  program.release();
  return expect(attempts[0]).rejects.toThrow("tune: nothing can be measured inside capture; tune before");
});

test("a product has forms to choose from, gives all memory back, and is right before and after", async () => {
  const tuner = use(new Tuner(null, true));
  const [m, n, k] = [40, 36, 12];
  const values = (count: number) => Float32Array.from({ length: count }, (_, i) => (i % 7) - 3);
  const wanted = Float32Array.from({ length: m * n }, (_, i) => {
    const [row, column] = [Math.floor(i / n), i % n];
    return Array.from({ length: k }, (_, j) => values(m * k)[row * k + j]! * values(k * n)[j * n + column]!).reduce(
      (sum, x) => sum + x,
      0,
    );
  });
  const product = async (): Promise<Float32Array> => {
    using _scope = device.scope();
    const [a, b] = [fromArray(device, [1, m, k], values(m * k)), fromArray(device, [1, k, n], values(k * n))] as [
      Tensor,
      Tensor,
    ];
    return toArray(matmul(a, b));
  };
  const { bytes } = device.memory();
  expect(await product()).toEqual(wanted);
  expect(await tune(device)).toBe(1);
  expect([...tuner.choices.keys()]).toEqual([
    expect.stringMatching(/^matmul [-0-9a-f]+ f32x4 false false false 1 48 48 12$/),
  ]);
  expect(await product()).toEqual(wanted);
  expect(device.memory().bytes).toBe(bytes);
});

test("a convolution and its gradients are measured after their tensors were released, as in training", async () => {
  const tuner = use(new Tuner(null, true));
  const { bytes } = device.memory();
  {
    using _scope = device.scope();
    const [input, weight] = [normal(device, [1, 6, 6, 8], SEEDED), normal(device, [3, 3, 8, 8], SEEDED)];
    const output = conv2dForward(input, weight, {}, { padding: 1 });
    conv2dBackwardInput(input, weight, output, { padding: 1 });
    conv2dBackwardWeight(input, weight, output, { padding: 1 });
  }
  expect(await tune(device)).toBe(3);
  expect([...tuner.choices.keys()].map((key) => key.split(" ")[0])).toEqual([
    "conv2d.forward",
    "conv2d.backward_input",
    "conv2d.backward_weight",
  ]);
  expect(device.memory().bytes).toBe(bytes);
});
