// What AMD's instructions do, by their names in LLVM's listings and in the driver's own, from GCN to RDNA 4.

export const isVector = (word: string): boolean => word.startsWith("v_");
export const isScalar = (word: string): boolean =>
  word.startsWith("s_") &&
  !/^s_(wait|delay|clause|nop|barrier|buffer_load|load|endpgm|sendmsg|sleep|set_inst)/.test(word);

/** True for products of 16 x 16 matrices by a subgroup. */
export const isMatrix = (word: string): boolean => /^v_s?wmma/.test(word);

/**
 * True for multiplication and addition of floating-point numbers, of matrices too. Multiplied by 1, mixed ones only
 * convert.
 * @param text of the whole instruction
 */
export const isMultiply = (word: string, text: string): boolean =>
  isMatrix(word) ||
  (/^v_(pk_)?(fma|fmac|fmaak|fmamk|mac|mad|madak|madmk|dot2)/.test(word) &&
    !/_[iu](16|24|32|64)/.test(word) &&
    !(/_mix/.test(word) && /[ ,]1\.0\b/.test(text)));

/** True for two multiplications of f16 by an invocation. */
export const isPacked = (word: string): boolean => /^v_(pk_fma|dot2)/.test(word);

export const isLdsLoad = (word: string): boolean => /^ds_(load|read)/.test(word);
export const isLdsStore = (word: string): boolean => /^ds_(store|write)/.test(word);
export const isGlobalLoad = (word: string): boolean => /^(buffer|global|flat)_load/.test(word);
export const isGlobalStore = (word: string): boolean => /^(buffer|global|flat)_store/.test(word);
export const isScalarLoad = (word: string): boolean => /^s_(buffer_)?load/.test(word);

/** True for exchange between the invocations of a subgroup. */
export const isExchange = ({ word, text }: { readonly word: string; readonly text: string }): boolean =>
  /^(v_permlane|ds_(swizzle|bpermute|permute))/.test(word) || (isVector(word) && /(row_|quad_perm|dpp8)/.test(text));

/** True for operations at a quarter of the rate: reciprocals, roots, powers, whole products of 32 bits. */
export const isSlow = (word: string): boolean =>
  /^v_(rcp|rsq|sqrt|exp|log|sin|cos)_|^v_mul_(lo|hi)_[iu]32|^v_mad_[iu]64/.test(word);

/** True for what RDNA 3 computes for 64 lanes in one cycle rather than two. */
export const isDoubled = (word: string): boolean =>
  /^v_(fma|fmac|fmaak|fmamk|mul|add|sub|subrev|max|min)_f32|^v_(mov|cndmask)_b32/.test(word);

/** Bytes that an invocation loads or stores. */
export function bytesOf(word: string): number {
  if (/dwordx4|b128|_2addr\w*_b64|(read|write)2\w*_b64/.test(word)) return 16;
  if (/dwordx3|b96/.test(word)) return 12;
  if (/dwordx2|b64|_2addr\w*_b32|(read|write)2\w*_b32/.test(word)) return 8;
  if (/byte|[ui]8|b8|d16_(hi_)?[ui]?8/.test(word)) return 1;
  return /short|[ui]16|b16|d16/.test(word) ? 2 : 4;
}
