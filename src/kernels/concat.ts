import module from "../../shaders/concat.wgsl";
import { ShapeError, shapeError } from "../runtime/errors.ts";
import { countOf, empty, packOf, sameShape, type Tensor } from "../tensor/tensor.ts";
import { launch, requireDType } from "./launch.ts";

/** Joins tensors that agree in all but the last axis, along the last axis. */
export function concatForward(inputs: readonly Tensor[]): Tensor {
  const [first] = inputs;
  if (!first) throw new ShapeError("concat: expected at least one input");
  const named = Object.fromEntries(inputs.map((input, i) => [`input ${i}`, input]));
  requireDType("concat", "f32", named);
  if (!inputs.every(({ shape }) => shape.length > 0)) shapeError("concat", "expected at least one axis", named);
  const leading = first.shape.slice(0, -1);
  if (!inputs.every(({ shape }) => sameShape(shape.slice(0, -1), leading))) shapeError("concat", "expected equal shapes but for the last axis", named);
  const width = inputs.reduce((sum, { shape }) => sum + shape.at(-1)!, 0);
  const output = empty(first.device, [...leading, width]);
  let offset = 0;
  for (const input of inputs) {
    const columns = input.shape.at(-1)!;
    run("place", input, output, countOf(leading), columns, width, offset);
    offset += columns;
  }
  return output;
}

/** Columns `offset .. offset + columns - 1` of the last axis. */
export function sliceForward(input: Tensor, offset: number, columns: number): Tensor {
  requireDType("slice", "f32", { input });
  const width = input.shape.at(-1);
  if (width === undefined) shapeError("slice", "expected at least one axis", { input });
  if (!(offset >= 0 && columns >= 0 && offset + columns <= width)) {
    shapeError("slice", `expected columns within [0,${width}), asked for [${offset},${offset + columns})`, { input });
  }
  const leading = input.shape.slice(0, -1);
  const output = empty(input.device, [...leading, columns]);
  run("take", input, output, countOf(leading), columns, width, offset);
  return output;
}

/** The gradient of `sliceForward`: `gradOutput` in its columns of a tensor `width` wide, zeros elsewhere. */
export function sliceBackwardInput(gradOutput: Tensor, offset: number, width: number): Tensor {
  const leading = gradOutput.shape.slice(0, -1);
  const gradInput = empty(gradOutput.device, [...leading, width]);
  run("place_in_zeros", gradOutput, gradInput, countOf(leading), gradOutput.shape.at(-1)!, width, offset);
  return gradInput;
}

function run(entryPoint: string, input: Tensor, output: Tensor, rows: number, columns: number, width: number, offset: number): void {
  const pack = Math.min(packOf(columns), packOf(width), offset === 0 ? 4 : packOf(offset));
  const perRow = (entryPoint === "place_in_zeros" ? width : columns) / pack;
  launch({
    module,
    entryPoint,
    element: pack === 4 ? "f32x4" : "f32",
    tensors: { input, output },
    params: { rows, packs: columns / pack, wide_packs: width / pack, offset: offset / pack },
    size: { invocations: rows * perRow },
  });
}
