// What `deno run` starts: its argument says what there is to run.
import { run, totalsLine, type Plan } from "./run.ts";

const totals = await run(JSON.parse(process.argv[2]!) as Plan, console.log);
console.log(totalsLine(totals));
process.exit(totals.failed > 0 ? 1 : 0); // the device would keep it waiting
