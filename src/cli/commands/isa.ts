import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Option, type Command } from "commander";
import { InputError } from "../../runtime/errors.ts";
import { assemblyOf } from "../isa/assembly.ts";
import { CARDS } from "../isa/cards.ts";
import { compileFor, SYSTEM } from "../isa/driver.ts";
import { rowOf, tableOf } from "../isa/report.ts";
import { print, printLines } from "../terminal/say.ts";

interface IsaFlags {
  readonly gpu: string;
  readonly asm?: string | true;
  readonly json?: boolean;
}

export function addIsa(program: Command): void {
  program
    .command("isa")
    .description("show what AMD's compiler makes of the kernels of a script, without AMD's hardware")
    .argument("<script>", "a module for Node that opens a device and runs kernels, awaiting them; all values are zeros")
    .argument("[arguments...]", "for the script")
    .addOption(new Option("--gpu <family>", "the GPU to compile for").choices(Object.keys(CARDS)).default("navi31"))
    .option("--asm [name]", "print each kernel's loop beside its WGSL, or only of kernels with this in their names")
    .option("--json", "one JSON object: {gpu, card, driver, rows}")
    .action((script: string, args: string[], flags: IsaFlags) => show(script, args, flags));
}

function show(script: string, args: readonly string[], { gpu, asm, json }: IsaFlags): void {
  if (!existsSync(script)) throw new InputError(`there is no script ${script}`);
  const runner = fileURLToPath(new URL(/* @vite-ignore */ "./isa.js", import.meta.url));
  const { manifest, listings } = compileFor(gpu, (path) => [runner, path, script, ...args], SYSTEM);
  const card = CARDS[gpu]!;
  const { adapter: driver, pipelines } = manifest;
  if (pipelines.length === 0)
    throw new InputError(
      `${script} ran no kernel of this bigrid: import bigrid from the same package, and await the work at the script's top level`,
    );
  if (asm !== undefined && !json) {
    const isWanted = (label: string) => asm === true || label.includes(asm);
    const wanted = [...pipelines.entries()].filter(([, { label }]) => isWanted(label));
    if (wanted.length === 0)
      throw new InputError(
        `no kernel of ${script} has ${asm as string} in its name: ${pipelines.map(({ label }) => label).join("; ")}`,
      );
    for (const [i, pipeline] of wanted) printLines(assemblyOf(pipeline, listings.get(i)!).join("\n"));
    return;
  }
  const rows = pipelines.map((pipeline, i) => rowOf(pipeline, listings.get(i)!, card));
  if (json) return print(JSON.stringify({ gpu, card, driver, rows }));
  print(`${gpu}, as ${card.name}; ${driver}; static bounds, nothing was run`);
  printLines(tableOf(rows).join("\n"));
}
