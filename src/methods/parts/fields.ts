import { isObject } from "../../io/json.ts";
import { OptionError } from "../../runtime/errors.ts";
import { requireKind, type OptionSpec, type OptionTable, type ResolvedOptions } from "../../runtime/option_table.ts";
import type { Json, JsonObject } from "../method.ts";

const EXTENT = { kind: "whole", least: 1, most: 1 << 14, default: 1, help: "extent of the features" } as const;

/** The fields of a configuration that say which features it is for. */
export const EXTENTS = { height: EXTENT, width: EXTENT, channels: EXTENT } as const satisfies Readonly<
  Record<string, OptionSpec>
>;

/** The fields of JSON that may be anything: none where it is no object. */
export const fieldsOf = (json: Json | undefined): Partial<JsonObject> => (isObject(json) ? json : {});

/**
 * Reads the fields of a configuration from a file, and no others.
 * @param owner the method, for errors
 * @param table the kind and range of each
 * @throws OptionError unless each is of its kind and within its range
 */
export function readFields<Table extends OptionTable>(owner: string, table: Table, json: Json): ResolvedOptions<Table> {
  const fields = fieldsOf(json);
  const read = Object.entries(table).map(([name, spec]) => {
    const value = fields[name];
    requireKind(owner, name, spec, value);
    return [name, value] as const;
  });
  return Object.fromEntries(read) as ResolvedOptions<Table>; // which requireKind has seen to
}

/** Some of an object's properties. */
export const pick = <T extends object, K extends keyof T>(from: T, names: readonly K[]): Pick<T, K> =>
  Object.fromEntries(names.map((name) => [name, from[name]])) as Pick<T, K>;

/** @throws OptionError unless a number is finite and above 0 */
export function requirePositive(owner: string, name: string, value: unknown): number {
  if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
  throw new OptionError(`${owner}: expected a finite ${name} above 0, got ${String(value)}`);
}
