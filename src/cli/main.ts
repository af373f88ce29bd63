import { Command, CommanderError, type Option } from "commander";
import { reasonOf } from "../node/files/reasons.ts";
import { BigridError, InputError } from "../runtime/errors.ts";
import { printable } from "../io/printable.ts";
import { VERSION } from "../runtime/version.ts";
import { codeOfSignal, FAILED, WRONG_USAGE } from "./terminal/exit_codes.ts";
import { messages } from "./terminal/messages.ts";
import { isOutputClosed, outputFailure, write } from "./terminal/standard_output.ts";
import { say, sayLines } from "./terminal/say.ts";

// In help's order. What a command needs is only loaded where it is asked for.
const COMMANDS: Readonly<Record<string, () => Promise<(program: Command) => void | Promise<void>>>> = {
  demo: async () => (await import("./commands/demo.ts")).addDemo,
  inspect: async () => (await import("./commands/inspect.ts")).addInspect,
  train: async () => (await import("./commands/train.ts")).addTrain,
  eval: async () => (await import("./commands/eval.ts")).addEval,
  calibrate: async () => (await import("./commands/calibrate.ts")).addCalibrate,
  compare: async () => (await import("./commands/compare.ts")).addCompare,
  predict: async () => (await import("./commands/predict.ts")).addPredict,
  serve: async () => (await import("./commands/serve.ts")).addServe,
  merge: async () => (await import("./commands/merge.ts")).addMerge,
  export: async () => (await import("./commands/export.ts")).addExport,
  weights: async () => (await import("./commands/weights.ts")).addWeights,
  info: async () => (await import("./commands/info.ts")).addInfo,
  docs: async () => (await import("./commands/docs.ts")).addDocs,
  isa: async () => (await import("./commands/isa.ts")).addIsa,
};

const SUGGESTION = /\n(?=\(Did you mean [^\n]*\)$)/; // a line of commander's own

const program = new Command("bigrid")
  .description("Visual anomaly detection on any GPU: learn from good images, find defects in new ones.")
  .version(VERSION)
  .option("--debug", "print the stack of an error")
  .option(
    "--autotune",
    "measure which forms of kernels are fastest here, and keep the choice; results differ in the last bits",
  )
  .hook("preAction", (_program, command) => {
    if (command.opts()["json"] && isOutputClosed())
      throw new InputError("standard output is closed, where --json prints: open it, or leave --json out");
    if (program.opts()["autotune"]) process.env["BIGRID_AUTOTUNE"] = "1"; // what openDevice looks at
  })
  .exitOverride()
  .configureOutput({
    writeOut: (text) => void write(text),
    writeErr: (text) => messages.write(text),
    outputError: (text, write) => write(`${text.trimEnd().split(SUGGESTION).map(printable).join("\n")}\n`), // it repeats what was typed
  })
  .showHelpAfterError("(--help says more)")
  .addHelpText(
    "after",
    `
From photographs of good parts to defects found in new ones:
  bigrid inspect DIR                     how a folder is understood, and what looks wrong in it
  bigrid train DIR --out RUN             learns; RUN is a new folder, for the model
  bigrid eval RUN DIR                    how well it does, if DIR has images of defects too
  bigrid predict RUN IMAGE... --out OUT  finds defects in new images
  bigrid compare DIR --out COMPARISON    which method does best on DIR's images
No photographs at hand? "bigrid demo" makes its own. A first hour with it: "bigrid docs getting_started"`,
  );
const word = process.argv.slice(2).find((word) => !word.startsWith("-")) ?? "";
for (const name of Object.hasOwn(COMMANDS, word) ? [word] : Object.keys(COMMANDS))
  await (
    await COMMANDS[name]!()
  )(program);
for (const command of program.commands) {
  command
    .exitOverride()
    .copyInheritedSettings(program)
    .showHelpAfterError(`(bigrid ${command.name()} --help says more)`);
  for (const option of command.options.filter(({ mandatory }) => mandatory)) requireLate(command, option);
}

/** Commander misses a required option before it names a misspelt one, which may be the same. */
function requireLate(command: Command, option: Option): void {
  option.makeOptionMandatory(false);
  command.hook("preAction", () => {
    if (command.opts()[option.attributeName()] === undefined)
      command.error(`error: required option '${option.flags}' not specified`);
  });
}

async function main(): Promise<number> {
  try {
    await program.parseAsync();
    return Number(process.exitCode ?? 0); // a command may have an answer for scripts
  } catch (error) {
    // commander has said what is wrong
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : WRONG_USAGE;
    const { message, stack } = error as Error;
    const unexpected = error instanceof BigridError ? "" : "unexpected error: ";
    if (program.opts()["debug"]) sayLines((stack ?? message).replace(message, () => printable(message)));
    else say(`bigrid: ${unexpected}${message}`);
    return FAILED;
  }
}

/**
 * The exit code, after what standard output may have met: a reader that has read enough is no error of this program's,
 * anything else is.
 */
function codeAfterOutput(code: number): number {
  const failure = outputFailure();
  if (!failure) return code;
  if (failure.code === "EPIPE") return code === 0 ? codeOfSignal("SIGPIPE") : code; // as programs end that write on
  say(`bigrid: cannot write to standard output: ${reasonOf(failure)}`);
  return FAILED;
}

/** Does what the command line says, and ends the process. */
export async function run(): Promise<void> {
  const code = await main();
  await write(""); // behind all that was printed
  const finalCode = codeAfterOutput(code);
  // Dawn keeps the process alive; leave once everything is written.
  messages.write("", () => process.exit(finalCode));
}
