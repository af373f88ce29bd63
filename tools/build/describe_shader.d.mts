export interface ShaderDescription {
  /** Lines of the comment at the top, without slashes. */
  readonly header: readonly string[];
  readonly overrides: readonly {
    readonly name: string;
    readonly type: string;
    readonly value: string;
    readonly meaning: string;
  }[];
  readonly entryPoints: readonly { readonly name: string; readonly meaning: string }[];
}
export function describeShader(code: string, preludes?: readonly string[]): ShaderDescription;
