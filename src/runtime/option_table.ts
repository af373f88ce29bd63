import { OptionError } from "./errors.ts";
import { choiceOf, requireKnown, shown } from "./options.ts";

interface Choice<T extends string = string> {
  readonly kind: "choice";
  readonly choices: readonly T[];
}

interface NumberKind {
  /** An integer; any finite number; a share above 0 and at most 1; two or four numbers. */
  readonly kind: "whole" | "number" | "share" | "pair" | "quadruple";
  readonly least?: number;
  readonly most?: number;
}

interface Flag {
  readonly kind: "flag";
}

interface Words {
  readonly kind: "words";
}

type Kind = Choice | NumberKind | Flag | Words;
type Plain = string | number | boolean | readonly number[] | readonly string[] | null;

/** Context of a default: the values of earlier options in the table, and the backbone. */
export interface OptionContext {
  readonly values: Readonly<Record<string, unknown>>;
  /** True for a backbone with pretrained weights. */
  readonly pretrained: boolean;
}

/** An option: its kind and range, its default, and a line of help. */
export type OptionSpec = Kind & {
  /** A value, or a function of earlier options and the backbone. Null: none, or decided later. */
  readonly default: Plain | ((context: OptionContext) => Plain);
  /** The default in words, if the value does not say it. */
  readonly defaultText?: string;
  readonly help: string;
  /** Name of its command-line flag, if it differs from the option's name. */
  readonly flag?: string;
  /** True if users set it often: such an option has a flag of its own. */
  readonly frequent?: boolean;
  /** True if it affects only speed and memory, never a result. */
  readonly tuning?: boolean;
  /** The value for a training of few steps that takes as much memory as a long one. */
  readonly brief?: number;
  /** True for a number of epochs or steps: a training that goes on from a model takes a share of it. */
  readonly length?: boolean;
  /** The largest value that is of use, with either sign: an option beyond it may be why a training diverged. */
  readonly usual?: number;
  /** True if it counts only where there are real anomalies to learn from. */
  readonly needsAnomalies?: boolean;
};

/** The options of a command, a method or a class: the only place for their ranges, defaults and texts. */
export type OptionTable = Readonly<Record<string, OptionSpec>>;

type ValueOf<S extends OptionSpec> = S extends { readonly kind: "choice"; readonly choices: readonly (infer T)[] }
  ? T
  : S extends { readonly kind: "whole" | "number" | "share" }
    ? number
    : S extends { readonly kind: "pair" }
      ? readonly [number, number]
      : S extends { readonly kind: "quadruple" }
        ? readonly [number, number, number, number]
        : S extends { readonly kind: "flag" }
          ? boolean
          : readonly string[];
type OrNull<S extends OptionSpec> = S extends { readonly default: infer D } ? (null extends D ? null : never) : never;

/** Options of a table as a caller gives them. */
export type OptionsOf<T extends OptionTable> = { readonly [K in keyof T]?: ValueOf<T[K]> | OrNull<T[K]> | undefined };
/** Options of a table, each with a value. */
export type ResolvedOptions<T extends OptionTable> = { readonly [K in keyof T]: ValueOf<T[K]> | OrNull<T[K]> };

/**
 * Fills in defaults and checks ranges.
 * @param owner name of the command, method or class, for errors
 * @throws OptionError for an option that is unknown, of another kind, or out of range
 */
export function resolveOptions<T extends OptionTable>(
  owner: string,
  table: T,
  given: OptionsOf<T> | Readonly<Record<string, unknown>>,
  { pretrained = false }: Partial<Pick<OptionContext, "pretrained">> = {},
): ResolvedOptions<T> {
  const values: Record<string, unknown> = {};
  requireKnown(owner, given, table);
  for (const [name, spec] of Object.entries(table)) {
    const told = (given as Readonly<Record<string, unknown>>)[name];
    if (told !== undefined && told !== null) requireKind(owner, name, spec, told);
    values[name] = told ?? (typeof spec.default === "function" ? spec.default({ values, pretrained }) : spec.default);
  }
  return values as ResolvedOptions<T>;
}

/** @throws OptionError unless the value is of the option's kind and within its range */
export function requireKind(owner: string, name: string, spec: OptionSpec, value: unknown): void {
  const wrong = (expected: string): never => {
    throw new OptionError(`${owner}: expected ${name} to be ${expected}, got ${shown(value)}`);
  };
  switch (spec.kind) {
    case "choice":
      choiceOf(owner, name, spec.choices, value);
      return;
    case "flag":
      if (typeof value !== "boolean") wrong("true or false");
      return;
    case "words":
      if (!(Array.isArray(value) && value.length > 0 && value.every((word) => typeof word === "string")))
        wrong("a list of names");
      return;
    case "pair":
    case "quadruple": {
      const count = spec.kind === "pair" ? 2 : 4;
      if (!(Array.isArray(value) && value.length === count && value.every((one) => within(spec, one))))
        wrong(`${count} ${rangeOf(spec, "numbers")}`);
      return;
    }
    case "share":
      if (!(typeof value === "number" && value > 0 && value <= (spec.most ?? 1)))
        wrong(`above 0 and at most ${spec.most ?? 1}`);
      return;
    case "whole":
      if (!(Number.isSafeInteger(value) && within(spec, value))) wrong(rangeOf(spec, "a whole number"));
      return;
    case "number":
      if (!within(spec, value)) wrong(rangeOf(spec, "a finite number"));
  }
}

const within = ({ least = -Infinity, most = Infinity }: NumberKind, value: unknown): boolean =>
  typeof value === "number" && Number.isFinite(value) && value >= least && value <= most;

function rangeOf({ least, most }: NumberKind, what: string): string {
  if (least !== undefined && most !== undefined) return `${what} from ${least} to ${most}`;
  if (least !== undefined) return `${what} of at least ${least}`;
  return most === undefined ? what : `${what} of at most ${most}`;
}

/**
 * Parses a value from the text of a command line or a file.
 * @throws OptionError if the text is not of the option's kind
 */
export function optionFromText(owner: string, name: string, spec: OptionSpec, text: string): unknown {
  const value = ((): unknown => {
    switch (spec.kind) {
      case "choice":
        return text;
      case "words":
        return text.split(",").map((word) => word.trim());
      case "flag":
        return text === "true" ? true : text === "false" ? false : text;
      case "pair":
      case "quadruple":
        return text.split(",").map(numberFromText);
      default:
        return numberFromText(text);
    }
  })();
  requireKind(owner, name, spec, value);
  return value;
}

const numberFromText = (text: string): number | string =>
  text.trim() === "" || Number.isNaN(Number(text)) ? text : Number(text);

/** The default in words, for help and documents. */
export function defaultInWords({ default: value, defaultText }: OptionSpec): string {
  if (defaultText !== undefined) return defaultText;
  if (value === null || typeof value === "function") return "";
  return Array.isArray(value) ? value.join(",") : String(value);
}

/** The values with which a training takes few steps, and as much memory as a long one (`OptionSpec.brief`). */
export const briefOptions = (table: OptionTable): Readonly<Record<string, number>> =>
  Object.fromEntries(
    Object.entries(table).flatMap(([name, { brief }]) => (brief === undefined ? [] : [[name, brief]])),
  );

/** Options of a training that takes a share of the steps (`OptionSpec.length`). */
export const shorterOptions = (
  table: OptionTable,
  options: Readonly<Record<string, unknown>>,
  share: number,
): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(options).map(([name, value]) => [
      name,
      table[name]?.length && typeof value === "number" ? Math.ceil(share * value) : value,
    ]),
  );
