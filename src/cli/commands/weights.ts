import { Argument, type Command } from "commander";
import { PRETRAINED, repositoryOf, type PretrainedName } from "../../backbones/registry.ts";
import { downloadWeights } from "../../node/hub.ts";
import { MEGABYTE, print } from "../terminal/say.ts";
import { showProgress } from "../terminal/progress.ts";

export function addWeights(program: Command): void {
  program
    .command("weights")
    .description("download a backbone's public weights into the hub's cache, where train finds them")
    .addArgument(new Argument("<network>", "which").choices(PRETRAINED))
    .option("--json", "one JSON object: {network, repository, path}")
    .action(async (network: PretrainedName, { json }: { json?: boolean }) => {
      let bar: ReturnType<typeof showProgress> | null = null;
      try {
        const path = await downloadWeights(network, {
          onProgress: ({ done, total }) => {
            bar ??= showProgress("Megabytes", Math.ceil(total / MEGABYTE));
            bar.update(Math.floor(done / MEGABYTE));
          },
        });
        print(json ? JSON.stringify({ network, repository: repositoryOf(network), path }) : path);
      } finally {
        (bar as ReturnType<typeof showProgress> | null)?.end();
      }
    });
}
