// Shared by the runs on all stacks: a bundle in a temporary folder, a limit on silence, a report, an exit code.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleTests } from "./bundle.mjs";

const SILENCE_MINUTES = 20; // a test file may take some minutes if a CPU does all the work

/**
 * Runs the tests on a stack and sets the process's exit code.
 * @param start gets the bundle's folder, its contents, and `say` for each line of the report; returns `done`, which
 *   resolves to the number of failed tests, and `stop`, which ends everything that was started
 */
export async function runStack(start) {
  const folder = await mkdtemp(join(tmpdir(), "bigrid-stack-"));
  let stop = async () => {};
  let timer;
  const ended = new Promise((_, reject) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
      process.once(signal, () => reject(new Error(`ended by ${signal}`)));
    timer = setTimeout(
      () => reject(new Error(`nothing heard of the tests for ${SILENCE_MINUTES} minutes`)),
      60_000 * SILENCE_MINUTES,
    );
  });
  ended.catch(() => {}); // may reject before anything awaits it
  try {
    const bundle = await bundleTests(folder, process.argv.slice(2));
    if (Object.keys(bundle.files).length === 0)
      throw new Error(`nothing to run: ${Object.values(bundle.refused).join("; ")}`);
    const say = (line) => {
      console.log(line);
      timer.refresh();
    };
    const running = start(folder, bundle, say);
    stop = running.stop;
    process.exitCode = (await Promise.race([running.done, ended])) > 0 ? 1 : 0;
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  } finally {
    clearTimeout(timer);
    await stop();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
