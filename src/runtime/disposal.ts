// The types of `using` for projects without TypeScript's lib "esnext.disposable". Where the lib is present, the
// declarations merge.
declare global {
  interface SymbolConstructor {
    readonly dispose: unique symbol;
  }
  interface Disposable {
    [Symbol.dispose](): void;
  }
}

/**
 * The name of the method that `using` calls. Where the runtime has no `Symbol.dispose` yet it is what compilers of
 * `using` take in its place.
 */
export const dispose: typeof Symbol.dispose =
  (Symbol as { readonly dispose?: typeof Symbol.dispose }).dispose ??
  (Symbol.for("Symbol.dispose") as typeof Symbol.dispose);
