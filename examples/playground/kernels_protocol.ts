import type { KernelRate } from "../../bench/measure.ts";
import type { Roofs } from "../../src/kernels/roofs.ts";
import type { AdapterDescription } from "../../src/runtime/device.ts";

/** The visitor's own kernel, in place of a shader's name. */
export const OWN = "your-own";

/** Pixels of a side of the picture that goes in. */
export const SIDE = 192;

/** Something to turn: a number in a range, or a choice of words. */
export type Control =
  | { readonly name: string; readonly min: number; readonly max: number; readonly step: number; readonly value: number }
  | { readonly name: string; readonly choices: readonly string[]; readonly value: string };

export type Values = Readonly<Record<string, number | string>>;

/** An error of the compiler. */
export interface CodeFault {
  /** From 1 on. */
  readonly line: number;
  readonly message: string;
}

/** An operation's results beside its float64 definition. */
export interface Check {
  readonly operation: string;
  /** Number of cases. */
  readonly problems: number;
  /** The largest difference of them. */
  readonly difference: number;
  /** The first violation of the bound, in words; null if there is none. */
  readonly excess: string | null;
}

/** The time of a benchmark's fastest sample. */
export interface Duration {
  readonly what: string;
  readonly milliseconds: number;
}

/** Elements of a tensor, by index. */
export interface OwnedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly elements: readonly number[];
}

/** The elements that one invocation, or one workgroup, reads and writes. */
export interface Ownership {
  readonly example: string;
  readonly entryPoint: string;
  readonly unit: "invocation" | "workgroup";
  readonly index: number;
  /** Number of units. */
  readonly count: number;
  readonly read: readonly OwnedTensor[];
  readonly written: OwnedTensor;
}

export type KernelRequest =
  | { readonly kind: "open" }
  | {
      readonly kind: "draw";
      readonly id: number;
      readonly shader: string;
      readonly values: Values;
      readonly photo: Float32Array<ArrayBuffer>;
    }
  | { readonly kind: "measure"; readonly shader: string | null }
  /** Finds what an invocation owns, by the code that is in use. */
  | { readonly kind: "own"; readonly shader: string; readonly code: string; readonly index: number }
  /** Tries other WGSL, which is used from then on if it compiles; null goes back to the library's. */
  | { readonly kind: "try"; readonly shader: string; readonly code: string | null };

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
  | {
      readonly kind: "tried";
      readonly shader: string;
      /** Errors of the compiler; if there are any, nothing else was tried. */
      readonly faults: readonly CodeFault[];
      readonly checks: readonly Check[];
      readonly before: Duration | null;
      readonly after: Duration | null;
    }
  /** Null if the kernel does not allow to find it. */
  | { readonly kind: "owned"; readonly shader: string; readonly ownership: Ownership | null }
  | { readonly kind: "failed"; readonly message: string };
