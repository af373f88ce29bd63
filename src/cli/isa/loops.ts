import type { Instruction, Program } from "./listing.ts";
import { isGlobalLoad, isMatrix, isMultiply, isVector } from "./instructions.ts";

/** A range of instructions from the target of a branch back to the branch. */
interface Loop {
  readonly first: number;
  readonly last: number;
}

/** The part of a program in which its work lies. */
export interface Hot {
  readonly instructions: readonly Instruction[];
  /** False if the program has no loop, or none that multiplies or loads: the part is then the whole program. */
  readonly isLoop: boolean;
}

/** Multiplications, or loads, outside of loops that make a program without such loops one piece. */
const LEAST_OUTSIDE = 8;

/** Loops by position; several ways back to one block are one loop. */
export function loopsOf({ instructions, blocks }: Program): readonly Loop[] {
  const ends = new Map<number, number>();
  instructions.forEach(({ target }, at) => {
    const first = target === null ? undefined : blocks.get(target);
    if (first !== undefined && first <= at) ends.set(first, at);
  });
  return [...ends].map(([first, last]) => ({ first, last })).sort((a, b) => a.first - b.first);
}

/**
 * The loop that multiplies most outside of loops within it; if none multiplies, the one that loads most. Of equals the
 * shortest.
 */
export function hotOf(program: Program): Hot {
  const { instructions } = program;
  const loops = loopsOf(program);
  const bodies = loops.map((loop) => {
    const inner = loops.filter((other) => other !== loop && other.first >= loop.first && other.last <= loop.last);
    return instructions
      .slice(loop.first, loop.last + 1)
      .filter((_, i) => !inner.some(({ first, last }) => i + loop.first >= first && i + loop.first <= last));
  });
  const count = (body: readonly Instruction[], is: (word: string, text: string) => boolean) =>
    body.filter(({ word, text }) => is(word, text)).length;
  const isInLoop = instructions.map((_, at) => loops.some(({ first, last }) => at >= first && at <= last));
  const outside = instructions.filter((_, at) => !isInLoop[at]);
  for (const is of [isMatrix, isMultiply, isGlobalLoad]) {
    const [best] = bodies
      .filter((body) => count(body, is) > 0)
      .sort((a, b) => count(b, is) - count(a, is) || count(a, isVector) - count(b, isVector));
    if (best) return { instructions: best, isLoop: true };
    // Not in a loop: one pack for each invocation, or a loop that was unrolled.
    if (count(outside, is) >= LEAST_OUTSIDE) break;
  }
  return { instructions, isLoop: false };
}
