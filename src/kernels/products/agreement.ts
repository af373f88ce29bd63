import type { Device } from "../../runtime/device.ts";
import { toArray, type FloatDType, type Shape, type Tensor } from "../../tensor/tensor.ts";
import { activationForward } from "../activation.ts";
import { castForward } from "../cast.ts";
import { normal } from "../random.ts";

/**
 * Tolerance between two forms, relative to the sum of absolute products. In f16, rounding both results accounts for at
 * most 2^-10, sums in f32 for less; the other factor of four allows for hardware that rounds sums differently. In f32
 * two sums of some 500 products differ by 2^-15 at most; hardware that drops bits of its operands by 2^-11. In a sum of
 * 44 products a single product is about 2^-5.5.
 */
const CLOSE = { f16: 2 ** -8, f32: 2 ** -14 };

/**
 * Checks that a form gives the same results on this device as one that is trusted, on random operands.
 * @param problems shapes of the operands of each problem. Sums should be so short that a single wrong product shows, or
 *   so long that they are split
 * @param compute the product in this form or, if `trusted`, in the other one
 */
export async function agrees(
  device: Device,
  dtype: FloatDType,
  problems: readonly (readonly Shape[])[],
  compute: (operands: readonly Tensor[], trusted: boolean) => Tensor,
): Promise<boolean> {
  for (const shapes of problems) {
    const read = (): readonly Promise<Float32Array>[] => {
      using _scope = device.scope();
      const drawn = shapes.map((shape, stream) => {
        const wide = normal(device, shape, { seed: 1, stream, step: 0 });
        return dtype === "f32" ? wide : castForward(wide, dtype);
      });
      const sizes = drawn.map((tensor) => activationForward(tensor, "abs"));
      return [compute(drawn, false), compute(drawn, true), compute(sizes, true)].map((tensor) => toArray(tensor));
    };
    const [found, wanted, scale] = (await Promise.all(read())) as [Float32Array, Float32Array, Float32Array];
    if (!found.every((value, i) => Math.abs(value - wanted[i]!) <= CLOSE[dtype] * scale[i]!)) return false;
  }
  return true;
}
