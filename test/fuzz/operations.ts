import type { AnyOperation } from "../harness/operation.ts";

const modules = import.meta.glob<Record<string, unknown>>("../operations/*.ts", { eager: true });

const isOperation = (value: unknown): value is AnyOperation =>
  typeof value === "object" &&
  value !== null &&
  "problems" in value &&
  "run" in value &&
  typeof value.run === "function";

/** Every operation that test/operations exports, alone or in lists. */
export const operations: readonly AnyOperation[] = Object.values(modules)
  .flatMap(Object.values)
  .flat()
  .filter(isOperation);
