export const fromFolder: string;
export function withNotice(html: string): string;
export function withRelativeAssets(html: string, page: string, base: string): string;
