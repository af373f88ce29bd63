#!/usr/bin/env node
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { printable } from "../io/printable.ts";
import { MESSAGES_FD_VARIABLE } from "./messages.ts";

// Dawn and the Vulkan loader write warnings of their own, stack traces among them, straight to standard error, where
// they bury what bigrid has to say. So the command line runs in a child whose standard error is sifted here, and whose
// messages go to the real one by another descriptor. Delete this when Dawn's logging can be turned off.
const NOISE = /^(Warning: |\s+at \w+ \(.*dawn|$)/;
const MESSAGES_FD = 3;
// Images are decoded, and files read, in the pool of threads whose size must be said before the process starts; it is 4 by default.
const DECODERS = Math.max(4, availableParallelism());

const program = fileURLToPath(new URL(/* @vite-ignore */ "./cli.js", import.meta.url));
const child = spawn(process.execPath, [...process.execArgv, program, ...process.argv.slice(2)], {
  stdio: ["inherit", "inherit", "pipe", 2, "ipc"], // the last tells the child of this process's end, whatever ended it
  env: { UV_THREADPOOL_SIZE: String(DECODERS), ...process.env, [MESSAGES_FD_VARIABLE]: String(MESSAGES_FD) },
});
createInterface({ input: child.stderr! }).on("line", (line) => {
  if (!NOISE.test(line)) process.stderr.write(`${printable(line)}\n`);
});
// A terminal sends its signals to the child as well; others come here alone.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => {
  if (signal) {
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  } else process.exitCode = code ?? 1;
});
