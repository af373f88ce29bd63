// Started by `deno run`; its argument is the plan.
import { run, totalsLine, type Plan } from "./run.ts";

const totals = await run(JSON.parse(process.argv[2]!) as Plan, console.log);
console.log(totalsLine(totals));
process.exit(totals.failed > 0 ? 1 : 0); // the device would keep the process alive
