import module from "../../shaders/elementwise.wgsl";
import { shapeError } from "../runtime/errors.ts";
import { countOf, elementOf, empty, packOf, sameShape, type Shape, type Tensor } from "../tensor/tensor.ts";
import { floatDType, launch } from "./launch.ts";

const OPS = ["add", "subtract", "multiply", "divide", "maximum", "minimum", "hypot", "first", "equal"] as const;
const MAX_AXES = 4;

export type BinaryName = (typeof OPS)[number];

/** a op b, broadcast as NumPy does. "first" is a itself, repeated to the broadcast shape. */
export function binaryForward(a: Tensor, b: Tensor, name: BinaryName): Tensor {
  const dtype = floatDType(name, { a, b });
  const constants = { OP: OPS.indexOf(name) };
  const same = sameShape(a.shape, b.shape);
  const output = empty(a.device, same ? a.shape : broadcastShape(name, a, b), dtype);
  const tensors = { a, b, output };
  if (same) {
    const count = countOf(a.shape);
    const packs = count / packOf(count);
    launch({ module, entryPoint: "forward", element: elementOf(dtype, count), constants, tensors, params: flat(packs), size: { invocations: packs }, parts: { param: "packs", tensors: ["a", "b", "output"] } });
    return output;
  }
  const [shape, shapeA, shapeB] = [output.shape, a.shape, b.shape].map(padded) as [Shape, Shape, Shape];
  const channels = shape[3]!;
  const pack = shapeA[3] === channels && shapeB[3] === channels ? packOf(channels) : 1;
  const [a0, a1, a2, a3] = stridesOf(shapeA, pack) as [number, number, number, number];
  const [b0, b1, b2, b3] = stridesOf(shapeB, pack) as [number, number, number, number];
  const packs = countOf(shape) / pack;
  launch({
    module,
    entryPoint: "forward_broadcast",
    element: elementOf(dtype, pack),
    constants,
    tensors,
    params: { packs, d1: shape[1]!, d2: shape[2]!, d3: channels / pack, a0, a1, a2, a3, b0, b1, b2, b3 },
    size: { invocations: packs },
  });
  return output;
}

/** Params of the entry point that counts packs alone. */
const flat = (packs: number) => ({ packs, d1: 0, d2: 0, d3: 0, a0: 0, a1: 0, a2: 0, a3: 0, b0: 0, b1: 0, b2: 0, b3: 0 });

const padded = (shape: Shape): Shape => [...Array<number>(MAX_AXES - shape.length).fill(1), ...shape];

/** Strides in packs; 0 where the axis is repeated. */
function stridesOf(shape: Shape, pack: number): number[] {
  const strides: number[] = [];
  let stride = 1;
  for (let axis = MAX_AXES - 1; axis >= 0; axis--) {
    const extent = axis === MAX_AXES - 1 ? shape[axis]! / pack : shape[axis]!;
    strides[axis] = shape[axis] === 1 ? 0 : stride;
    stride *= extent;
  }
  return strides;
}

function broadcastShape(op: string, a: Tensor, b: Tensor): Shape {
  const rank = Math.max(a.shape.length, b.shape.length);
  if (rank > MAX_AXES) shapeError(op, `expected at most ${MAX_AXES} axes`, { a, b });
  return Array.from({ length: rank }, (_, i) => {
    const x = a.shape[a.shape.length - rank + i] ?? 1;
    const y = b.shape[b.shape.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) shapeError(op, "expected shapes that are equal or 1 along each axis, from the last", { a, b });
    return x === 1 ? y : x;
  });
}
