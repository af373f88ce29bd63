import { expect, test } from "vitest";
import { binaryForward, type BinaryName } from "../../src/kernels/elementwise.ts";
import { countOf, fromArray, toArray, type Shape } from "../../src/tensor/tensor.ts";
import { rng } from "../harness/bounds.ts";
import { expectClose } from "../harness/close.ts";
import { device } from "../harness/device.ts";
import { poison } from "../harness/operation.ts";
import * as reference from "../reference/elementwise.ts";

// add and multiply are tested as operations. Slack counts half ulps: 1 for +, - and *; 5 for a division (WGSL: 2.5
// ulp).
type Binary = (a: number, b: number) => number;
const FUNCTIONS: readonly (readonly [BinaryName, f: Binary, magnitude: Binary, slack: number])[] = [
  ["subtract", (a, b) => a - b, (a, b) => Math.abs(a - b), 1],
  ["divide", (a, b) => a / b, (a, b) => Math.abs(a / b), 5],
  ["equal", (a, b) => (a === b ? 1 : 0), () => 1, 0],
  ["greater_share", (a, b) => (a > b ? 1 : a === b ? 0.5 : 0), () => 1, 0],
];

const SHAPES: readonly (readonly [a: Shape, b: Shape])[] = [
  [
    [3, 8],
    [3, 8],
  ],
  [
    [5, 7],
    [5, 7],
  ],
  [
    [3, 4, 8],
    [3, 1, 8],
  ],
  [
    [3, 1],
    [2, 3, 5],
  ],
];

test.each(FUNCTIONS)("%s keeps to the definition, same shapes and broadcast", async (name, f, magnitude, slack) => {
  for (const [a, b] of SHAPES) {
    const random = rng(5);
    // away from the pole of the quotient, and often equal
    const away = () => (random() < 0.5 ? -1 : 1) * (random() < 0.5 ? 1 : 0.1 + random());
    const [dataA, dataB] = [
      Float32Array.from({ length: countOf(a) }, away),
      Float32Array.from({ length: countOf(b) }, away),
    ];
    poison();
    const read = () => {
      using _scope = device.scope();
      return toArray(binaryForward(fromArray(device, a, dataA), fromArray(device, b, dataB), name));
    };
    const of = (g: Binary) => reference.forward({ a, b }, dataA, dataB, g);
    expectClose(await read(), of(f), of(magnitude), slack);
  }
});

test("one tensor may be both operands", async () => {
  const read = () => {
    using _scope = device.scope();
    const a = fromArray(device, [5], Float32Array.of(1, 2, 3, 4, 5));
    return toArray(binaryForward(a, a, "subtract"));
  };
  expect(await read()).toEqual(new Float32Array(5));
});
