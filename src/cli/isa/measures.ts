// What a pipeline's hot part consists of.
import {
  bytesOf,
  isExchange,
  isGlobalLoad,
  isGlobalStore,
  isLdsLoad,
  isLdsStore,
  isMatrix,
  isMultiply,
  isScalar,
  isScalarLoad,
  isVector,
} from "./instructions.ts";
import type { Instruction, Program } from "./listing.ts";
import { hotOf, type Hot } from "./loops.ts";

/** Vector instructions between a load and the wait for it below which the wait counts as directly behind. */
const BEHIND = 8;

/** A wait for loads that were issued shortly before. */
export interface Wait {
  readonly kind: "lds" | "global";
  /** Vector instructions since the load. */
  readonly distance: number;
}

/** Counts of a pipeline's hot part: its loop, or the whole program if it has none. */
export interface Measures {
  readonly isLoop: boolean;
  readonly instructions: number;
  readonly vector: number;
  readonly scalar: number;
  /** Multiply-adds of floating-point numbers, products of matrices among them. */
  readonly multiplies: number;
  readonly matrices: number;
  readonly ldsLoads: number;
  readonly ldsStores: number;
  readonly globalLoads: number;
  readonly globalStores: number;
  /** Bytes of an invocation's accesses to memory, of each width: how many there are. */
  readonly widths: Readonly<Record<string, number>>;
  /** Limits put on an index before a load or store. */
  readonly clamps: number;
  readonly divisions: number;
  /** Waits for data that was asked for no more than a few instructions before. */
  readonly waits: number;
  /** Instructions, anywhere, that exchange numbers within a subgroup. */
  readonly exchanges: number;
}

const isLimit = (word: string): boolean => /^[vs]_(min|min3|med3)_[iu](16|32)/.test(word);
const isAccess = (word: string): boolean =>
  isLdsLoad(word) || isLdsStore(word) || isGlobalLoad(word) || isGlobalStore(word) || isScalarLoad(word);

/**
 * Limits whose result, or what is computed from it, is the address of an access. Walks the loop twice, for what is
 * computed at its end.
 */
function clampsIn({ instructions, isLoop }: Hot): number {
  const limits = new Map<string, ReadonlySet<number>>(); // of what is in a register
  const used = new Set<number>();
  for (let round = 0; round < (isLoop ? 2 : 1); round++) {
    instructions.forEach(({ word, writes, reads }, at) => {
      const behind = new Set(reads.flatMap((register) => [...(limits.get(register) ?? [])]));
      if (isAccess(word)) for (const limit of behind) used.add(limit);
      if (isLimit(word)) behind.add(at);
      const passesOn = !isAccess(word) && !/^[vs]_cmp/.test(word);
      for (const register of writes) limits.set(register, passesOn ? behind : new Set());
    });
  }
  return used.size;
}

// The driver divides whole numbers by way of a reciprocal, scaled by just under 2^32, one step of refinement, the
// quotient, and its correction: two high words of products for each divisor's first quotient, one for each further one.
const RECIPROCAL = /^v_mul_f32/;
const SCALE = /0x4f7ffffe/;
const HIGH_WORD = /^[vs]_mul_hi_u32/;

/** Divisions of whole numbers by what is not a constant; those whose reciprocal was computed before the loop too. */
function divisionsIn(instructions: readonly Instruction[]): number {
  const reciprocals = instructions.filter(({ word, text }) => RECIPROCAL.test(word) && SCALE.test(text)).length;
  const products = instructions.filter(({ word, text }) => HIGH_WORD.test(word) && !/0x[0-9a-f]{6,}/.test(text)).length;
  return Math.max(reciprocals, products - reciprocals);
}

/** Loads that a wait leaves under way, of a kind; null if it does not wait for that kind. */
function leftBy({ word, text }: Instruction, kind: Wait["kind"]): number | null {
  const [old, name, single] =
    kind === "lds" ? ["lgkmcnt", "dscnt", "s_wait_dscnt"] : ["vmcnt", "loadcnt", "s_wait_loadcnt"];
  const left =
    word === "s_waitcnt" || word === "s_wait_loadcnt_dscnt"
      ? new RegExp(`\\b(?:${old}|${name})\\((\\d+)\\)`).exec(text)
      : word === single
        ? /(?:imm:)?(0x[0-9a-f]+|\d+)$/.exec(text)
        : null;
  return left ? Number(left[1]) : null;
}

/** Waits for loads of the same round, with the way from the last load that they wait for. */
export function waitsIn(instructions: readonly Instruction[]): readonly Wait[] {
  const underWay: Record<Wait["kind"], { readonly at: number; readonly isLoad: boolean }[]> = { lds: [], global: [] };
  const waits: Wait[] = [];
  let vector = 0;
  for (const instruction of instructions) {
    const { word } = instruction;
    if (isVector(word)) vector++;
    if (isLdsLoad(word) || isLdsStore(word) || isScalarLoad(word))
      underWay.lds.push({ at: vector, isLoad: isLdsLoad(word) });
    if (isGlobalLoad(word)) underWay.global.push({ at: vector, isLoad: true });
    for (const kind of ["lds", "global"] as const) {
      const left = leftBy(instruction, kind);
      if (left === null) continue;
      const done = underWay[kind].splice(0, Math.max(0, underWay[kind].length - left)).filter(({ isLoad }) => isLoad);
      if (done.length > 0) waits.push({ kind, distance: vector - done.at(-1)!.at });
    }
  }
  return waits;
}

export function measuresOf(program: Program): Measures {
  const hot = hotOf(program);
  const { instructions, isLoop } = hot;
  const count = (is: (word: string, text: string) => boolean): number =>
    instructions.filter(({ word, text }) => is(word, text)).length;
  const widths: Record<string, number> = {};
  for (const { word } of instructions) {
    if (!isGlobalLoad(word) && !isGlobalStore(word)) continue;
    const bits = String(8 * bytesOf(word));
    widths[bits] = (widths[bits] ?? 0) + 1;
  }
  return {
    isLoop,
    instructions: instructions.length,
    vector: count(isVector),
    scalar: count(isScalar),
    multiplies: count(isMultiply),
    matrices: count(isMatrix),
    ldsLoads: count(isLdsLoad),
    ldsStores: count(isLdsStore),
    globalLoads: count(isGlobalLoad),
    globalStores: count(isGlobalStore),
    widths,
    clamps: clampsIn(hot),
    divisions: divisionsIn(instructions),
    waits: waitsIn(instructions).filter(({ distance }) => distance < BEHIND).length,
    exchanges: program.instructions.filter(isExchange).length,
  };
}
