import { endBySignal } from "./terminal/exit_codes.ts";

// The launcher's end, whatever ended it, ends this process: nobody else is left to do so. From the first instruction
// on, before anything else is loaded: the launcher may be gone already. Started without a launcher, there is no
// channel.
process.on("disconnect", () => endBySignal("SIGKILL"));
if ((process.connected as boolean | undefined) === false) endBySignal("SIGKILL");

const { run } = await import("./main.ts");
await run();
