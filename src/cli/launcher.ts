#!/usr/bin/env node
import { spawn, type StdioOptions } from "node:child_process";
import { fstatSync } from "node:fs";
import { availableParallelism } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { ENDING, exitCodeOf } from "./terminal/exit_codes.ts";
import { printable } from "../io/printable.ts";
import { MESSAGES_FD_VARIABLE } from "./terminal/messages.ts";

// Dawn and the Vulkan loader write warnings of their own, stack traces among them, straight to standard error, where
// they bury what bigrid has to say. So the command line runs in a child whose standard error is sifted here, and whose
// messages go to the real one by another descriptor. Delete this when Dawn's logging can be turned off.
const NOISE = /^(Warning: |\s+at \w+ \(.*dawn|$)/;
// Images are decoded, and files read, in the pool of threads whose size must be said before the process starts; it is 4
// by default.
const DECODERS = Math.max(4, availableParallelism());
const MOST_DESCRIPTORS = 1024;

const words = process.argv.slice(2);
const shared = namedDescriptors(words);
const free = [3, 4, ...shared.flatMap((fd) => [fd + 1, fd + 2])].filter((fd) => !shared.includes(fd));
const [messagesFd, channelFd] = [...new Set(free)] as [number, number];
const stdio: NonNullable<Exclude<StdioOptions, string>> = Array.from(
  { length: Math.max(messagesFd, channelFd, ...shared) + 1 },
  () => "ignore" as const,
);
for (const fd of [0, 1, ...shared]) stdio[fd] = fd;
stdio[2] = "pipe";
stdio[messagesFd] = 2;
stdio[channelFd] = "ipc"; // tells the child of this process's end, whatever ended it

const program = fileURLToPath(new URL(/* @vite-ignore */ "./cli.js", import.meta.url));
const child = spawn(process.execPath, [...process.execArgv, program, ...words], {
  stdio,
  env: { UV_THREADPOOL_SIZE: String(DECODERS), ...process.env, [MESSAGES_FD_VARIABLE]: String(messagesFd) },
});
process.stderr.on("error", () => undefined); // nobody reads messages: the work goes on
createInterface({ input: child.stderr! }).on("line", (line) => {
  if (!NOISE.test(line)) process.stderr.write(`${printable(line)}\n`);
});
// A terminal sends its signals to the child as well; others come here alone.
for (const signal of ENDING) process.on(signal, () => child.kill(signal));
child.on("error", (error) => {
  process.stderr.write(`bigrid: cannot start ${process.execPath}: ${error.message}\n`);
  process.exitCode = exitCodeOf(null, null);
});
// Once its standard error has ended too. An exit code is set first: a signal does not end the first process of a
// container.
child.on("close", (code, signal) => {
  if (process.exitCode !== undefined) return;
  process.exitCode = exitCodeOf(code, signal);
  if (!signal) return;
  if (!ENDING.includes(signal))
    process.stderr.write(
      `bigrid: ended by ${signal}, which bigrid did not send (out of memory, or a fault in the GPU's driver)\n`,
    );
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});

/** Descriptors that the words name as files, as a shell's process substitution does; the child inherits no others. */
function namedDescriptors(words: readonly string[]): number[] {
  const named = words.flatMap((word) =>
    [...word.matchAll(/\/(?:dev|proc\/self)\/fd\/(\d{1,4})(?!\d)/g)].map(([, fd]) => Number(fd)),
  );
  return [...new Set(named)].filter((fd) => fd > 2 && fd < MOST_DESCRIPTORS && isOpen(fd));
}

function isOpen(fd: number): boolean {
  try {
    fstatSync(fd);
    return true;
  } catch {
    return false;
  }
}
