import { describe, expect, test } from "vitest";
import { activate, conv3x3, norm, pointwise, sequence, within, type LayerContext } from "../../src/nn/layers.ts";
import { Weights } from "../../src/nn/weights.ts";
import { add } from "../../src/ops/elementwise.ts";
import { valueAndGradients } from "../../src/ops/gradients.ts";
import { gridSample } from "../../src/ops/grid_sample.ts";
import { mseLoss } from "../../src/ops/losses.ts";
import { mean } from "../../src/ops/reduce.ts";
import { reshape } from "../../src/ops/shape.ts";
import { AdamW } from "../../src/optim/adam.ts";
import { RandomStream } from "../../src/tensor/random.ts";
import {
  countOf,
  empty,
  fromArray,
  release,
  requireGrad,
  toArray,
  zeros,
  type Shape,
  type Tensor,
} from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";
import { poison } from "../harness/operation.ts";

const random = new RandomStream(5, 5);
const numbers = (shape: Shape): Float32Array => random.normals(countOf(shape), 1);
const bitsOf = async (tensor: Tensor): Promise<Uint32Array> => new Uint32Array((await toArray(tensor)).buffer);

const INPUT: Shape = [2, 6, 6, 4];

/** A small network with a loss, and an optimiser of its parameters. */
function network() {
  const weights = Weights.drawn(device);
  const at = (name: string): LayerContext => within({ weights, prefix: "net", random: new RandomStream(1, 2) }, name);
  const layer = sequence(conv3x3(at("a"), 4, 8), norm(at("b"), 8), activate("hswish"), pointwise(at("c"), 8, 4, true));
  const grid = requireGrad(fromArray(device, [1, 3, 3, 4], new RandomStream(3, 3).normals(36, 1)));
  const optimizer = new AdamW(
    [
      { parameters: [...weights.parameters.values()], learningRate: 0.01 },
      { parameters: [grid], learningRate: 0.1 },
    ],
    { maxNorm: 1 },
  );
  const step = (input: Tensor, places: Tensor): Tensor => {
    using scope = device.scope();
    const { results, grads } = valueAndGradients(() => {
      const output = add(layer(input, "training"), reshape(gridSample(grid, places), INPUT));
      return [mean(mseLoss(output, input))];
    }, optimizer.parameters);
    optimizer.apply(grads);
    return scope.keep(results[0]);
  };
  const bits = async () => Promise.all([...weights.all().values(), grid].map(bitsOf));
  const done = () => {
    weights.release();
    release(grid);
    optimizer.release();
  };
  return { step, optimizer, bits, done };
}

test("training steps that are replayed give the bits of eager ones, whatever lies in the memory that others use", async () => {
  const batches = Array.from({ length: 10 }, () => ({ input: numbers(INPUT), places: numbers([1, 12, 6, 2]) }));
  const [eager, replayed] = [network(), network()];
  const input = empty(device, INPUT);
  const places = empty(device, [1, 12, 6, 2]);
  const load = (batch: (typeof batches)[number]) => {
    device.write(input.allocation.buffer, batch.input);
    device.write(places.allocation.buffer, batch.places);
  };
  let captured: ReturnType<typeof device.capture<Tensor>> | null = null;
  for (const batch of batches) {
    load(batch);
    for (const { optimizer } of [eager, replayed]) optimizer.advance(0.5);
    const want = eager.step(input, places);
    poison();
    if (captured) captured.program.run();
    else captured = device.capture(() => replayed.step(input, places));
    expect(await bitsOf(captured.result)).toEqual(await bitsOf(want));
    release(want);
  }
  expect(await replayed.bits()).toEqual(await eager.bits());
  captured!.program.release();
  [eager, replayed].forEach(({ done }) => done());
  [input, places].forEach(release);
});

describe("a run", () => {
  const input = fromArray(device, INPUT, numbers(INPUT));
  const net = network();
  const places = fromArray(device, [1, 12, 6, 2], numbers([1, 12, 6, 2]));
  const { program } = device.capture(() => net.step(input, places));

  test("allocates nothing, binds nothing, uploads nothing, and takes the captured dispatches", async () => {
    const [memory, before] = [device.memory(), device.counters()];
    for (let i = 0; i < 3; i++) program.run();
    await device.finish();
    const after = device.counters();
    expect(device.memory()).toEqual(memory);
    expect(after.bindGroups).toBe(before.bindGroups);
    expect(after.bytesUploaded).toBe(before.bytesUploaded);
    expect(after.dispatches - before.dispatches).toBe(3 * program.dispatches);
    expect(after.submits - before.submits).toBe(1);
  });

  test("of a program that was released is refused", () => {
    const [tensor, own] = [zeros(device, [4]), device.capture(() => zeros(device, [1 << 20]))];
    const held = device.memory().bytes;
    own.program.release();
    own.program.release();
    expect(device.memory().bytes).toBe(held - (1 << 22));
    expect(() => own.program.run()).toThrow("this program was released; capture another");
    release(tensor);
  });
});

test("lean work shares storage among tensors that are not needed at a time, to the same bits, beside other programs too", async () => {
  const chain = (rounds: number) => () => {
    using scope = device.scope();
    let x = add(input, input);
    for (let i = 1; i < rounds; i++) x = add(x, input);
    return scope.keep(x);
  };
  const input = fromArray(device, INPUT, numbers(INPUT));
  const [plain, lean] = [device.capture(chain(12)), device.capture(chain(12), { lean: true })];
  const beside = device.capture(chain(30), { beside: lean.program, lean: true });
  expect(plain.program.memory.pool.use().buffersCreated).toBe(12);
  expect(lean.program.memory.pool.use().buffersCreated).toBe(4); // two in turn, and both results
  device.write(input.allocation.buffer, numbers(INPUT));
  for (const { program } of [beside, plain, lean, beside]) program.run();
  expect(await bitsOf(lean.result)).toEqual(await bitsOf(plain.result));
  const want = device.capture(chain(30));
  expect(await bitsOf(beside.result)).toEqual(await bitsOf(want.result));
  for (const { program } of [plain, lean, beside, want]) program.release();
  release(input);
});

test.each([true, false])("a run leaves out what nothing that outlives it depends on, lean: %s", async (lean) => {
  const [input, filled] = [fromArray(device, INPUT, numbers(INPUT)), zeros(device, INPUT)];
  const work = () => {
    using scope = device.scope();
    const used = add(input, input);
    const unused = add(used, used); // of the same size as what follows, whose storage may be its own
    add(unused, input);
    device.copy(used.allocation.buffer, 0, filled.allocation.buffer, 0, 4 * countOf(INPUT));
    scope.release(unused.allocation);
    return scope.keep(add(used, input));
  };
  const { program, result } = device.capture(work, { lean });
  expect(program.dispatches).toBe(2);
  const want = numbers(INPUT);
  device.write(input.allocation.buffer, want);
  program.run();
  expect(await toArray(result)).toEqual(want.map((x) => Math.fround(Math.fround(x + x) + x)));
  expect(await toArray(filled)).toEqual(want.map((x) => x + x));
  program.release();
  for (const tensor of [input, filled]) release(tensor);
});

test("lean work that allocates otherwise when it runs again is refused", () => {
  let runs = 0;
  expect(() =>
    device.capture(
      () => {
        zeros(device, [100 * ++runs]);
      },
      { lean: true },
    ),
  ).toThrow("capture: lean work must make the same allocations in each run");
});

test("what was written from the host while capturing is written by every run", async () => {
  const { program, result } = device.capture(() => fromArray(device, [3], Float32Array.of(1, 2, 3)));
  device.clear(result.allocation.buffer, 12);
  program.run();
  expect(await toArray(result)).toEqual(Float32Array.of(1, 2, 3));
  program.release();
});

describe("capture refuses, and leaves nothing behind:", () => {
  const outside = zeros(device, [4]);
  test.each<readonly [string, () => unknown, string]>([
    ["itself inside", () => device.capture(() => undefined), "capture: another capture is running"],
    [
      "a tensor from outside to be released",
      () => release(outside),
      "capture: a tensor from outside must not be released inside",
    ],
    [
      "a step of an optimiser to be kept for ever",
      () => network().optimizer.advance(),
      "advance: a capture would keep this step for ever",
    ],
    [
      "whatever fails",
      () => {
        throw new Error("no");
      },
      "no",
    ],
  ])("%s", (_what, inside, message) => {
    const before = device.memory();
    expect(() =>
      device.capture(() => {
        zeros(device, [1 << 10]);
        inside();
      }),
    ).toThrow(message);
    expect(device.memory()).toEqual(before);
    device.capture(() => zeros(device, [1])).program.release();
  });

  test("to be run inside, and to be read", async () => {
    const { program } = device.capture(() => zeros(device, [1]));
    expect(() => device.capture(() => program.run())).toThrow("capture: a program cannot run inside");
    let read: Promise<unknown> | null = null;
    device
      .capture(() => {
        read = toArray(zeros(device, [1]));
      })
      .program.release();
    await expect(read).rejects.toThrow(
      "capture: nothing can be read back inside; return the tensor and read it after a run",
    );
    program.release();
  });
});
