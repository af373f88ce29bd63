export function withoutMatrices(code: string): string;
