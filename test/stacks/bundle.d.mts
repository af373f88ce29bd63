/** Test files by path, relative to the repository. */
export interface Bundle {
  /** The bundle's file of each test file in it. */
  readonly files: Readonly<Record<string, string>>;
  /** Why the others are not in it. */
  readonly refused: Readonly<Record<string, string>>;
}
export function bundleTests(folder: string, words: readonly string[]): Promise<Bundle>;
