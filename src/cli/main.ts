import { Command, CommanderError, type Option } from "commander";
import { BigridError } from "../runtime/errors.ts";
import { VERSION } from "../runtime/version.ts";
import { messages } from "./messages.ts";
import { FAILED, say } from "./output.ts";

// In help's order. What a command needs is only loaded where it is asked for.
const COMMANDS: Readonly<Record<string, () => Promise<(program: Command) => void>>> = {
  demo: async () => (await import("./commands/demo.ts")).addDemo,
  inspect: async () => (await import("./commands/inspect.ts")).addInspect,
  train: async () => (await import("./commands/train.ts")).addTrain,
  eval: async () => (await import("./commands/eval.ts")).addEval,
  predict: async () => (await import("./commands/predict.ts")).addPredict,
  merge: async () => (await import("./commands/merge.ts")).addMerge,
  export: async () => (await import("./commands/export.ts")).addExport,
  weights: async () => (await import("./commands/weights.ts")).addWeights,
  info: async () => (await import("./commands/info.ts")).addInfo,
};

const WRONG_USAGE = 2;

const program = new Command("bigrid")
  .description("Visual anomaly detection on any GPU: learn from good images, find defects in new ones.")
  .version(VERSION)
  .option("--debug", "print the stack of an error")
  .option("--autotune", "measure which forms of kernels are fastest here, and keep the choice; results differ in the last bits")
  .hook("preAction", () => {
    if (program.opts()["autotune"]) process.env["BIGRID_AUTOTUNE"] = "1"; // what openDevice looks at
  })
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
const word = process.argv.slice(2).find((word) => !word.startsWith("-")) ?? "";
for (const name of Object.hasOwn(COMMANDS, word) ? [word] : Object.keys(COMMANDS)) (await COMMANDS[name]!())(program);
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
