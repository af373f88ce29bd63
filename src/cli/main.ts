import { Command, CommanderError, type Option } from "commander";
import { BigridError } from "../runtime/errors.ts";
import { VERSION } from "../runtime/version.ts";
import { addDemo } from "./commands/demo.ts";
import { addEval } from "./commands/eval.ts";
import { addExport } from "./commands/export.ts";
import { addInfo } from "./commands/info.ts";
import { addInspect } from "./commands/inspect.ts";
import { addMerge } from "./commands/merge.ts";
import { addPredict } from "./commands/predict.ts";
import { addTrain } from "./commands/train.ts";
import { addWeights } from "./commands/weights.ts";
import { messages } from "./messages.ts";
import { say } from "./output.ts";

const FAILED = 1;
const WRONG_USAGE = 2;

const program = new Command("bigrid")
  .description("Visual anomaly detection on any GPU: learn from good images, find defects in new ones.")
  .version(VERSION)
  .option("--debug", "print the stack of an error")
  .exitOverride()
  .configureOutput({ writeErr: (text) => messages.write(text) })
  .showHelpAfterError("(--help says more)")
  .addHelpText("after", `
From photographs of good parts to defects found in new ones:
  bigrid inspect DIR                     how a folder is understood, and what looks wrong in it
  bigrid train DIR --out RUN             learns; RUN is a new folder, for the model
  bigrid eval RUN DIR                    how well it does, if DIR has images of defects too
  bigrid predict RUN IMAGE... --out OUT  judges new images
No photographs at hand? "bigrid demo" makes its own. Docs: docs/getting_started.md`);
for (const add of [addDemo, addInspect, addTrain, addEval, addPredict, addMerge, addExport, addWeights, addInfo]) add(program);
for (const command of program.commands) {
  command.exitOverride().copyInheritedSettings(program).showHelpAfterError(`(bigrid ${command.name()} --help says more)`);
  for (const option of command.options.filter(({ mandatory }) => mandatory)) requireLate(command, option);
}

/** Commander misses a required option before it names a misspelt one, which may be the same. */
function requireLate(command: Command, option: Option): void {
  option.makeOptionMandatory(false);
  command.hook("preAction", () => {
    if (command.opts()[option.attributeName()] === undefined) command.error(`error: required option '${option.flags}' not specified`);
  });
}

async function main(): Promise<number> {
  try {
    await program.parseAsync();
    return Number(process.exitCode ?? 0); // a command may have an answer for scripts
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : WRONG_USAGE; // commander has said what is wrong
    const { message, stack } = error as Error;
    const unexpected = error instanceof BigridError ? "" : "unexpected error: ";
    if (program.opts()["debug"]) messages.write(`${stack ?? message}\n`);
    else say(`bigrid: ${unexpected}${message}`);
    return FAILED;
  }
}

process.on("disconnect", () => process.exit(FAILED)); // the launcher was killed: nobody is left to end this process
const code = await main();
// Dawn keeps the process alive; leave once everything is written.
process.stdout.write("", () => messages.write("", () => process.exit(code)));
