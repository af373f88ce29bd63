import module from "../../shaders/elementwise.wgsl";
import { shapeError } from "../runtime/errors.ts";
import { countOf, elementOf, empty, packOf, sameShape, type Shape, type Tensor } from "../tensor/tensor.ts";
import { floatDType, launch } from "./launch.ts";

const OPS = ["add", "subtract", "multiply", "divide", "maximum", "minimum", "equal", "greater_share"] as const;
const MAX_AXES = 4;

export type BinaryName = (typeof OPS)[number];

/** a op b, broadcast as in NumPy. */
export function binaryForward(a: Tensor, b: Tensor, name: BinaryName): Tensor {
  const dtype = floatDType(name, { a, b });
  const constants = { OP: OPS.indexOf(name) };
  const same = sameShape(a.shape, b.shape);
  const output = empty(a.device, same ? a.shape : broadcastShape(name, a, b), dtype);
  const tensors = { a, b, output };
  if (same) {
    const count = countOf(a.shape);
    const packs = count / packOf(count);
    launch({
      module,
      entryPoint: "forward",
      element: elementOf(dtype, count),
      constants,
      tensors,
      params: flat(packs),
      size: { invocations: packs },
      parts: { param: "packs", tensors: ["a", "b", "output"] },
    });
    return output;
  }
  const axes = collapsed(name, a, b, output.shape);
  const last = axes.at(-1)!;
  const [singleA, singleB] = [countOf(a.shape) === 1, countOf(b.shape) === 1]; // any allocation holds a pack
  const pack = singleA || singleB || last.a > 1 === last.b > 1 ? packOf(last.extent) : 1;
  const inPacks = [
    ...axes.slice(0, -1),
    { extent: last.extent / pack, a: Math.ceil(last.a / pack), b: Math.ceil(last.b / pack) },
  ];
  const [, second, third, fourth] = inPacks as [Extents, Extents, Extents, Extents];
  const [a0, a1, a2, a3] = stridesOf(inPacks.map((axis) => axis.a)) as [number, number, number, number];
  const [b0, b1, b2, b3] = stridesOf(inPacks.map((axis) => axis.b)) as [number, number, number, number];
  const packs = countOf(output.shape) / pack;
  launch({
    module,
    entryPoint: "forward_broadcast",
    element: elementOf(dtype, pack),
    constants: { ...constants, SINGLE_A: singleA, SINGLE_B: singleB },
    tensors,
    params: { packs, d1: second.extent, d2: third.extent, d3: fourth.extent, a0, a1, a2, a3, b0, b1, b2, b3 },
    size: { invocations: packs },
  });
  return output;
}

/** Params of the entry point that needs only a count of packs. */
const flat = (packs: number) => ({
  packs,
  d1: 0,
  d2: 0,
  d3: 0,
  a0: 0,
  a1: 0,
  a2: 0,
  a3: 0,
  b0: 0,
  b1: 0,
  b2: 0,
  b3: 0,
});

/** An axis of the output, and the operands' extents along it. */
interface Extents {
  readonly extent: number;
  readonly a: number;
  readonly b: number;
}

/** The output's axes merged into at most four: adjacent axes that broadcast alike become one. */
function collapsed(op: string, a: Tensor, b: Tensor, shape: Shape): Extents[] {
  const extentOf = (operand: Shape, axis: number): number => operand[axis - (shape.length - operand.length)] ?? 1;
  const axes: Extents[] = [];
  shape.forEach((extent, axis) => {
    if (extent === 1) return;
    const own = { extent, a: extentOf(a.shape, axis), b: extentOf(b.shape, axis) };
    const last = axes.at(-1);
    if (last && last.a > 1 === own.a > 1 && last.b > 1 === own.b > 1) {
      axes[axes.length - 1] = { extent: last.extent * extent, a: last.a * own.a, b: last.b * own.b };
    } else axes.push(own);
  });
  if (axes.length > MAX_AXES) {
    shapeError(op, `expected at most ${MAX_AXES} runs of axes that broadcast alike, there are ${axes.length}`, {
      a,
      b,
    });
  }
  return [...Array<Extents>(MAX_AXES - axes.length).fill({ extent: 1, a: 1, b: 1 }), ...axes];
}

/** Strides of an operand with these extents; 0 along axes where it is repeated. */
function stridesOf(extents: readonly number[]): number[] {
  return extents.map((extent, axis) =>
    extent === 1 ? 0 : extents.slice(axis + 1).reduce((product, own) => product * own, 1),
  );
}

function broadcastShape(op: string, a: Tensor, b: Tensor): Shape {
  const rank = Math.max(a.shape.length, b.shape.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a.shape[a.shape.length - rank + i] ?? 1;
    const y = b.shape[b.shape.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1)
      shapeError(op, "expected shapes that are equal or 1 along each axis, from the last", { a, b });
    return x === 1 ? y : x;
  });
}
