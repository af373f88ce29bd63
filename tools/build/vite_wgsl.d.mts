import type { Plugin } from "vite";
import type { WgslModule } from "../../src/runtime/wgsl.ts";
export function wgsl(options?: { readonly minify?: boolean }): Plugin;
export function reflect(code: string): Pick<WgslModule, "entryPoints" | "params" | "overrides">;
export function shaderNames(): Promise<ReadonlyMap<string, string>>;
