import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { byCodeUnits } from "../../data/tree.ts";
import { reasonOf } from "../../node/files/reasons.ts";
import { InputError, OptionError } from "../../runtime/errors.ts";
import { addOutputFlags } from "../predict/flags.ts";
import { claim, outputsOf, Tables, type OutputFlags } from "../predict/outputs.ts";
import { mergedResults, openShards, type Counts } from "../predict/record.ts";
import { printSummary } from "../predict/summary.ts";

export function addMerge(program: Command): void {
  const command = program
    .command("merge")
    .description("join what predict --shard made of parts of the images: the same tables as of all images at once")
    .argument("<shards...>", "the shards' journals, or folders that hold them");
  addOutputFlags(command.option("--out <dir>", "results.csv and results.jsonl in this folder")).action(
    async (words: string[], flags: OutputFlags) => {
      const outputs = { ...outputsOf(flags, null), pictures: new Map() };
      if (outputs.journal === null)
        throw new OptionError("name an output: --out DIR, --csv FILE, --jsonl FILE or --coco FILE");
      const shards = await openShards(await findJournals(words));
      await using _claim = await claim(outputs);
      const results = () => mergedResults(shards);
      const tables = await Tables.begin(outputs, results);
      await tables.writeWhole(results);
      await tables.close();
      const counts: Counts = { good: 0, defective: 0, unreadable: 0 };
      for await (const { verdict } of results()) counts[verdict]++;
      await printSummary(results(), counts, outputs, null);
    },
  );
}

/** The journals that are named, and those in folders that are. */
async function findJournals(words: readonly string[]): Promise<string[]> {
  const paths: string[] = [];
  for (const word of words) {
    const found = await stat(word).catch((error: unknown) => {
      throw new InputError(`cannot read ${word}: ${reasonOf(error)}`, { cause: error });
    });
    if (!found.isDirectory()) {
      paths.push(word);
      continue;
    }
    const names = (await readdir(word)).filter((name) => name.endsWith(".journal")).sort(byCodeUnits);
    if (names.length === 0)
      throw new InputError(
        `${word} holds no shard's journal: name a folder that "bigrid predict --shard i/n --out DIR" wrote into`,
      );
    paths.push(...names.map((name) => join(word, name)));
  }
  return paths;
}
