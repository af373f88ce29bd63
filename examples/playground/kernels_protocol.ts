import type { KernelRate } from "../../bench/measure.ts";
import type { Roofs } from "../../src/kernels/roofs.ts";
import type { AdapterDescription } from "../../src/runtime/device.ts";

/** Pixels of a side of the picture that goes in. */
export const SIDE = 192;

/** Something to turn: a number in a range, or a choice of words. */
export type Control =
  | { readonly name: string; readonly min: number; readonly max: number; readonly step: number; readonly value: number }
  | { readonly name: string; readonly choices: readonly string[]; readonly value: string };

export type Values = Readonly<Record<string, number | string>>;

export type KernelRequest =
  | { readonly kind: "open" }
  | {
      readonly kind: "draw";
      readonly id: number;
      readonly shader: string;
      readonly values: Values;
      readonly photo: Float32Array<ArrayBuffer>;
    }
  | { readonly kind: "measure"; readonly shader: string | null };

export type KernelReply =
  | {
      readonly kind: "opened";
      readonly adapter: AdapterDescription;
      readonly features: readonly string[];
      readonly controls: Readonly<Record<string, readonly Control[]>>;
      /** The shaders that have benchmarks. */
      readonly measured: readonly string[];
    }
  | {
      readonly kind: "drawn";
      readonly id: number;
      readonly rgba: Uint8ClampedArray<ArrayBuffer>;
      readonly width: number;
      readonly height: number;
      readonly milliseconds: number;
    }
  | { readonly kind: "roofs"; readonly roofs: Roofs }
  | { readonly kind: "measured"; readonly rate: KernelRate; readonly done: number; readonly total: number }
  | { readonly kind: "report"; readonly report: unknown }
  | { readonly kind: "failed"; readonly message: string };
