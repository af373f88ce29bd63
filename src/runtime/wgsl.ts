/** WGSL code with its interface: what the build makes of a `.wgsl` file, and `defineKernel` of a string. */
export interface WgslModule {
  /** File name without `.wgsl`. */
  readonly name: string;
  readonly code: string;
  /** Storage bindings each entry point uses, in binding order. */
  readonly entryPoints: Readonly<Record<string, readonly WgslBinding[]>>;
  /** Members of `struct Params`, the one uniform; empty if the file has none. */
  readonly params: readonly WgslParam[];
  readonly overrides: readonly string[];
  /**
   * Entry points whose workgroups are not of WORKGROUP_SIZE: their invocations cannot be counted. Default: not checked.
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
  /** Bytes into the struct. */
  readonly offset: number;
  readonly type: "u32" | "i32" | "f32";
}
