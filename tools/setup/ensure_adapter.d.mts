export interface Plan {
  readonly install?: readonly string[];
  readonly suite?: string | null;
  readonly advice?: string;
}
export function parseOsRelease(text: string): Record<string, string>;
export function mirrorOf(indexTargets: string, suite: string): string | null;
export function sourcesFile(mirror: string, suite: string, keyring: string): string;
export function addSuite(
  mirror: string,
  suite: string,
  paths?: { readonly sources: string; readonly keyring: string },
): void;
export function planFor(machine: { platform: string; os: Record<string, string>; root: boolean; apt: boolean }): Plan;
