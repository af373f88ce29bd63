import module from "../../shaders/random_sets.wgsl";
import type { Device } from "../runtime/device.ts";
import { OptionError } from "../runtime/errors.ts";
import { requireWhole } from "../runtime/options.ts";
import { countOf, empty, release, type Shape, type Tensor } from "../tensor/tensor.ts";
import { launch, requireDType } from "./launch.ts";
import { randomWords, type Draw } from "./random.ts";

const OP = "randomSets";
const MOST_ELEMENTS = 1 << 20; // the work grows with the square
const MOST_SETS = 1 << 16; // a set's number is exact in f32

/** The set of each element of a shape, f32. */
export function randomSets(device: Device, shape: Shape, sets: number, draw: Draw): Tensor {
  requireWhole(OP, "shape", 1, shape);
  if (!(Number.isInteger(sets) && sets >= 1 && sets <= MOST_SETS))
    throw new OptionError(`${OP}: expected sets to be a whole number from 1 to ${MOST_SETS}, got ${sets}`);
  if (countOf(shape) > MOST_ELEMENTS)
    throw new OptionError(`${OP}: expected at most ${MOST_ELEMENTS} elements, got [${shape.join(",")}]`);
  const words = randomWords(device, shape, draw);
  const dealt = dealForward(words, sets);
  release(words);
  return dealt;
}

/** Deals elements by the order of their words, u32; f32. */
export function dealForward(words: Tensor, sets: number): Tensor {
  requireDType(OP, "u32", { words });
  const count = countOf(words.shape);
  const dealt = empty(words.device, words.shape);
  launch({
    module,
    tensors: { words, sets: dealt },
    params: { count, sets },
    size: { invocations: count },
  });
  return dealt;
}
