export function anchorOf(heading: string): string;
export function siteLink(
  root: string,
  source: string,
  href: string,
): { readonly href: string; readonly file?: string | null } | null;
