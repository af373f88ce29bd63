import { UsageError } from "./errors.ts";
import type { Allocation, Scope } from "./pool.ts";

interface Holder {
  readonly allocation: Allocation;
}

/**
 * Lets every tensor in a result outlive the scope; returns the result.
 * @throws UsageError for a promise
 */
export function keepResults<T>(scope: Scope, result: T): T {
  if (result instanceof Promise) {
    result.catch(() => undefined); // it may fail on released tensors
    throw new UsageError("tidy: expected a function that awaits nothing: what it makes is released when it returns");
  }
  keepIn(scope, result, new Set());
  return result;
}

function keepIn(scope: Scope, value: unknown, seen: Set<unknown>): void {
  if (typeof value !== "object" || value === null || seen.has(value)) return;
  seen.add(value);
  if ("allocation" in value) scope.keep(value as Holder);
  else if (Array.isArray(value) || value instanceof Map || value instanceof Set) {
    for (const item of value.values()) keepIn(scope, item, seen);
  } else if (isPlain(value)) for (const item of Object.values(value)) keepIn(scope, item, seen);
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
