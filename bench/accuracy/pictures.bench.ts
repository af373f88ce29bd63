// npm run bench -- pictures DIR... --maps DIR [--backbone NAME] [--out FILE]
// Writes a page of pictures from the maps that `npm run accuracy -- DIR... --maps DIR` kept: for each dataset, the images
// on which the last choice gains and loses most against the best of the others, beside image and mask.
import { existsSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { Command } from "commander";
import { writePictures } from "./pictures.ts";
import { mapsPath } from "./maps.ts";
import { readChoices } from "./choices.ts";
import { InputError } from "../../src/runtime/errors.ts";

interface Flags {
  readonly maps: string;
  readonly backbone: string;
  readonly choices: string;
  readonly out: string;
}

const program = new Command("npm run bench -- pictures")
  .argument("<dirs...>", "datasets")
  .requiredOption("--maps <dir>", "maps that npm run accuracy -- --maps kept")
  .option("--backbone <name>", "of these maps", "embedded")
  .option(
    "--choices <names>",
    "with commas, the one that is compared last",
    "nearest mean of 3 x 3,normal,both nearest",
  )
  .option("--out <file>", "the page", "runs/pictures.html");
await program.parseAsync(process.argv.slice(3), { from: "user" });
const { maps, backbone, choices, out } = program.opts<Flags>();
const names = (await readChoices("bench/accuracy/choices.json", choices.split(","))).map(({ name }) => name);
const sets = program.args.map((root) => {
  const dataset = basename(resolve(root));
  const files = names.map((choice) => mapsPath(maps, { dataset, backbone, choice }));
  const missing = files.find((file) => !existsSync(file));
  if (missing) throw new InputError(`no maps in ${missing}: run npm run accuracy -- ${root} --maps ${maps} first`);
  return { root, dataset, files: files.map((file) => join(file)) };
});
await writePictures(out, backbone, names, sets);
console.log(out);
