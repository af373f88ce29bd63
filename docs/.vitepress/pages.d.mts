export function addressOf(source: string): string;
export function linkTo(source: string): string;
export function groupsOf(list?: string): {
  readonly title: string;
  readonly pages: readonly { readonly title: string; readonly source: string }[];
}[];
