export interface LockedPackage {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  readonly optional: boolean;
}
export interface LockedPackages {
  readonly installed: readonly LockedPackage[];
  readonly builtIn: readonly LockedPackage[];
}
export const PAGE: string;
export function packagesOf(lock: object): LockedPackages;
export function licencesPage(packages: LockedPackages): string;
export function currentPage(): string;
