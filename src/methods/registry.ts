import { OptionError } from "../runtime/errors.ts";
import type { OptionsOf } from "../runtime/option_table.ts";
import type { Method } from "./method.ts";

// A method is a folder, and a line here. Each is loaded where it is asked for.
const METHODS = {
  dfr: async () => (await import("./dfr/method.ts")).dfr,
  grad: async () => (await import("./grad/method.ts")).grad,
  padim: async () => (await import("./padim/method.ts")).padim,
  patchcore: async () => (await import("./patchcore/method.ts")).patchcore,
  crad: async () => (await import("./crad/method.ts")).crad,
  simplenet: async () => (await import("./simplenet/method.ts")).simplenet,
  uniad: async () => (await import("./uniad/method.ts")).uniad,
  riad: async () => (await import("./riad/method.ts")).riad,
} as const satisfies Readonly<Record<string, () => Promise<Method>>>;

/** A method's name. */
export type MethodName = keyof typeof METHODS;
/** The options of each method. */
export type OptionsOfMethods = {
  readonly [N in MethodName]: OptionsOf<Awaited<ReturnType<(typeof METHODS)[N]>>["options"]>;
};
/** The method where none is named. */
export const DEFAULT_METHOD = "grad" satisfies MethodName;
/** Names of all methods. */
export const METHOD_NAMES = Object.keys(METHODS) as readonly MethodName[];

/** Loads all methods. */
export const loadMethods = (): Promise<readonly Method[]> => Promise.all(METHOD_NAMES.map((name) => METHODS[name]()));

/**
 * Loads a method by name.
 * @throws OptionError for an unknown name
 */
export async function loadMethod(name: string): Promise<Method> {
  if (!Object.hasOwn(METHODS, name))
    throw new OptionError(`expected method to be one of ${METHOD_NAMES.join(", ")}, got ${name}`);
  return METHODS[name as MethodName]();
}
