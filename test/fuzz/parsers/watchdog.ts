import { Worker } from "node:worker_threads";

const NAME_BYTES = 64;

// A parser that hangs blocks the process's main thread, so another thread must report it and end the process.
const WATCHDOG = `
const { workerData: { shared, patience } } = require("node:worker_threads");
const { writeSync } = require("node:fs");
const [counters, name] = [new Int32Array(shared, 0, 2), Buffer.from(shared, 8)];
// of this process: others may have the machine
const seconds = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1e6; };
let [last, since] = [-1, seconds()];
setInterval(() => {
  const now = Atomics.load(counters, 0);
  if (now !== last) [last, since] = [now, seconds()];
  else if (seconds() - since > patience) {
    const parser = name.toString("latin1").replace(/\\0.*/s, "");
    writeSync(2, parser + ": no end after " + patience + " s of work\\n  again: npm run fuzz:parsers -- --parser " + parser + " --seed " + Atomics.load(counters, 1) + " --count 1\\n");
    process.kill(process.pid, "SIGKILL");
  }
}, 1000);
`;

/**
 * Ends the process with a report of the input if it works on one for more than `patience` seconds.
 * @returns a function to call before each input
 */
export function watchFor(patience: number): (parser: string, seed: number) => void {
  const shared = new SharedArrayBuffer(8 + NAME_BYTES);
  const [counters, name] = [new Int32Array(shared, 0, 2), Buffer.from(shared, 8)];
  new Worker(WATCHDOG, { eval: true, workerData: { shared, patience } }).unref();
  return (parser, seed) => {
    name.fill(0).write(parser.slice(0, NAME_BYTES - 1), "latin1");
    Atomics.store(counters, 1, seed);
    Atomics.add(counters, 0, 1);
  };
}
