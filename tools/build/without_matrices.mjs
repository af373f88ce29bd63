/**
 * WGSL without the lines that name subgroup matrices, which wgsl_reflect does not know: neither entry points nor
 * bindings are among them.
 */
export const withoutMatrices = (code) => code.replace(/^.*subgroup(_m|M)atrix.*$/gm, "");
