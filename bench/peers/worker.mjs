// node worker.mjs MODULE OPTIONS   one library in a process of its own, which does what its parent says:
//   { do: "open" }              -> { version, adapter }
//   { do: "prepare", problem }  -> { milliseconds, outputs }: the first call, with what it compiles; { missing: true }
//   { do: "run" }               -> { milliseconds }: the prepared work once more, until its results are on the host
//   { do: "memory" }            -> { deviceBytes, residentBytes }: the most that it has held since it was opened
// or { error } where the library throws.
import { readFileSync, writeFileSync } from "node:fs";
import { deviceMemory } from "./dawn.mjs";

const [module, options] = process.argv.slice(2);
let library = null;
let prepared = null;
let residentBefore = 0;

const timed = async (work) => {
  const start = performance.now();
  const result = await work();
  return { milliseconds: performance.now() - start, result };
};

/** The peak resident set since it was last reset, in bytes; null if the system does not report it. */
function residentPeak() {
  try {
    return 1024 * Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))[1]);
  } catch {
    return null;
  }
}

function resetResidentPeak() {
  try {
    writeFileSync("/proc/self/clear_refs", "5");
  } catch {
    // not Linux, or not allowed: the peak is then that of the whole process
  }
}

const actions = {
  async open() {
    const { open } = await import(`./libraries/${module}.mjs`);
    library = await open(JSON.parse(options));
    resetResidentPeak();
    residentBefore = residentPeak();
    return { version: library.version, adapter: library.adapter };
  },
  async prepare({ problem }) {
    const make = library.cases[problem.name];
    if (!make) return { missing: true };
    prepared = await make(problem.inputs, problem.settings);
    const { milliseconds, result } = await timed(prepared.run);
    return { milliseconds, outputs: prepared.outputs ? await prepared.outputs(result) : result };
  },
  async run() {
    const { milliseconds } = await timed(prepared.run);
    return { milliseconds };
  },
  async memory() {
    const resident = residentPeak();
    return {
      deviceBytes: library.isNative ? null : deviceMemory.peak,
      residentBytes: resident === null ? null : resident - residentBefore,
    };
  },
};

process.on("unhandledRejection", (error) => process.send({ error: String(error?.message ?? error) }));
process.on("message", async (message) => {
  try {
    process.send(await actions[message.do](message));
  } catch (error) {
    process.send({ error: String(error?.message ?? error) });
  }
});
