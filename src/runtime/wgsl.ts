/** What tools/vite_wgsl makes of a `.wgsl` file. */
export interface WgslModule {
  /** File name without `.wgsl`. */
  readonly name: string;
  readonly code: string;
  /** Storage bindings each entry point uses, in binding order. */
  readonly entryPoints: Readonly<Record<string, readonly { readonly name: string; readonly binding: number; readonly access: "read" | "read_write" }[]>>;
  /** Members of `struct Params`, the one uniform; empty if the file has none. */
  readonly params: readonly { readonly name: string; readonly offset: number; readonly type: "u32" | "i32" | "f32" }[];
  readonly overrides: readonly string[];
}
