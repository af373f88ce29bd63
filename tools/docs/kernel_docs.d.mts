/** The kernel page with its generated part made anew. */
export function pageOf(current: string): string;
