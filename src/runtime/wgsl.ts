/** WGSL code with its interface: made by the build from a `.wgsl` file, or by `defineKernel` from a string. */
export interface WgslModule {
  /** File name without `.wgsl`. */
  readonly name: string;
  readonly code: string;
  /** Storage bindings that each entry point uses, in binding order. */
  readonly entryPoints: Readonly<Record<string, readonly WgslBinding[]>>;
  /** Members of `struct Params`, the one uniform; empty if the file has none. */
  readonly params: readonly WgslParam[];
  readonly overrides: readonly string[];
  /**
   * Entry points whose workgroup size is not WORKGROUP_SIZE, so that `invocations` cannot launch them. Default: not
   * checked.
   */
  readonly ownSizes?: readonly string[];
}

/** A storage buffer of a WGSL file. */
export interface WgslBinding {
  readonly name: string;
  readonly binding: number;
  readonly access: "read" | "read_write";
}

/** A number of a WGSL file. */
export interface WgslParam {
  readonly name: string;
  /** Byte offset in the struct. */
  readonly offset: number;
  readonly type: "u32" | "i32" | "f32";
}
