export function shortNamesOf(kernels: readonly string[], preludes: readonly string[]): Map<string, string>;
export function minified(code: string, names?: ReadonlyMap<string, string>): string;
