/**
 * WGSL without the lines that name subgroup matrices, which wgsl_reflect does not support; these lines declare no entry
 * points or bindings.
 */
export const withoutMatrices = (code) => code.replace(/^.*subgroup(_m|M)atrix.*$/gm, "");
