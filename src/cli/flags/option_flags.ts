import { InvalidArgumentError, Option, type Command } from "commander";
import { isObject, requireJson } from "../../io/json.ts";
import { readText } from "../../node/files/read.ts";
import { InputError, OptionError } from "../../runtime/errors.ts";
import { defaultInWords, optionFromText, type OptionSpec, type OptionTable } from "../../runtime/option_table.ts";

/** The name of an option's flag without its dashes: "input-size". */
export const flagName = (name: string, { flag }: OptionSpec): string =>
  flag ?? name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

const PLACEHOLDERS: Readonly<Record<OptionSpec["kind"], string>> = {
  choice: "name",
  whole: "n",
  number: "x",
  share: "share",
  pair: "low,high",
  quadruple: "a,b,c,d",
  words: "names",
  flag: "true|false",
};

/**
 * Adds a flag for each frequent option of a table.
 * @param group heading above them in help; null leaves them out of it
 */
export function addOptionFlags(
  command: Command,
  owner: string,
  table: OptionTable,
  group: (name: string) => string | null,
): Command {
  for (const [name, spec] of Object.entries(table).filter(([, { frequent }]) => frequent)) {
    const preset = defaultInWords(spec);
    const option = new Option(
      `--${flagName(name, spec)} <${PLACEHOLDERS[spec.kind]}>`,
      `${spec.help}${preset && ` (default: ${preset})`}`,
    );
    if (spec.kind === "choice") option.choices(spec.choices);
    else {
      option.argParser((text) => {
        try {
          return optionFromText(owner, name, spec, text);
        } catch (error) {
          throw new InvalidArgumentError((error as Error).message);
        }
      });
    }
    const heading = group(name);
    command.addOption(heading === null ? option.hideHelp() : option.helpGroup(heading));
  }
  return command;
}

/** The values of a table's options that flags gave, by the options' names. */
export function valuesOfFlags(table: OptionTable, flags: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const attribute = (name: string, spec: OptionSpec): string =>
    new Option(`--${flagName(name, spec)} <x>`).attributeName();
  const given = Object.entries(table).map(([name, spec]) => [name, flags[attribute(name, spec)]] as const);
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

/** Collects `--set name=value`, each as often as it is given. */
export const collectSettings = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

/**
 * Reads `--set name=value` texts.
 * @param tables those that may have an option of the name, with their owners
 * @throws OptionError for a text without "=", an unknown name or a value out of range
 */
export function valuesOfSettings(
  texts: readonly string[],
  tables: readonly (readonly [owner: string, table: OptionTable])[],
): Record<string, unknown> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf("=");
      if (at < 1) throw new OptionError(`--set takes name=value, such as seed=1, got ${text.slice(0, 80)}`);
      const name = text.slice(0, at);
      const [owner, table] = tables.find(([, table]) => Object.hasOwn(table, name)) ?? unknownOption(name, tables);
      return [name, optionFromText(owner, name, table[name]!, text.slice(at + 1))];
    }),
  );
}

function unknownOption(name: string, tables: readonly (readonly [owner: string, table: OptionTable])[]): never {
  const known = tables.flatMap(([, table]) => Object.keys(table));
  throw new OptionError(`unknown option ${name.slice(0, 80)}; there are ${known.join(", ")}`);
}

const MOST_CHARACTERS = 1 << 20; // of a configuration

/**
 * Reads a configuration: a JSON object of options by name.
 * @throws InputError if the file cannot be read or holds something else
 */
export async function readConfiguration(path: string): Promise<Readonly<Record<string, unknown>>> {
  const text = await readText(path, { limit: 4 * MOST_CHARACTERS });
  const read = requireJson(text, { characters: MOST_CHARACTERS, depth: 4 }, path);
  if (!isObject(read)) throw new InputError(`${path}: expected a JSON object of options, such as {"seed": 1}`);
  return read;
}
