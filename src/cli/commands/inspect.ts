import type { Command } from "commander";
import type { Dataset } from "../../data/dataset.ts";
import type { FormatName } from "../../data/layouts/layout.ts";
import { fileCount, surveyDataset, type Survey } from "../../data/survey.ts";
import { loadMethods } from "../../methods/registry.ts";
import { readDataset } from "../../node/dataset.ts";
import { writeFileAtomic } from "../../node/files/files.ts";
import { pictureReader } from "../../node/picture_reader.ts";
import { addFormatFlag } from "../dataset.ts";
import { inspectPage } from "../inspect/inspect_page.ts";
import { inspectText, methodsText } from "../inspect/inspect_text.ts";
import { print, printLines } from "../terminal/say.ts";
import { showProgress } from "../terminal/progress.ts";
import { claimShown } from "../terminal/shown_outputs.ts";

/** The output of `inspect --json`. */
interface InspectReport extends Survey {
  readonly dataset: string;
  readonly layout: Dataset["layout"];
  readonly alternative: FormatName | null;
  readonly page: string | null;
}

export function addInspect(program: Command): void {
  const command = program
    .command("inspect")
    .description("say how a folder is understood as a dataset, what it holds, and what looks wrong")
    .argument("<dir>", "folder of images");
  addFormatFlag(command)
    .option("--out <file>", "write a page with sample pictures and the outlines of their masks, as HTML")
    .option(
      "--json",
      "one JSON object: {dataset, layout, alternative, page, classes, findings: [{kind, severity, message, advice, paths}]}",
    )
    .action(async (root: string, { format, out, json }: { format?: FormatName; out?: string; json?: boolean }) => {
      const dataset = await readDataset(root, { format });
      await using _claim = await claimShown({ files: out === undefined ? [] : [out] }, json);
      const bar = showProgress("Files", fileCount(dataset));
      const onProgress = ({ done }: { readonly done: number }): void => bar.update(done);
      const survey = await surveyDataset(dataset, pictureReader(root), { onProgress }).finally(() => bar.end());
      if (out !== undefined) await writeFileAtomic(out, await inspectPage(root, dataset, survey, await loadMethods()));
      if (json) {
        const { layout, alternative } = dataset;
        const report: InspectReport = { dataset: root, layout, alternative, page: out ?? null, ...survey };
        return print(JSON.stringify(report));
      }
      printLines(inspectText(root, dataset, survey));
      print("");
      printLines(methodsText(await loadMethods()));
      print("");
      if (out !== undefined) print(`pictures  ${out}   open it in a browser`);
      else print(`pictures: bigrid inspect ${root} --out PAGE.html`);
      print(`next: bigrid train ${root} --out RUN`);
      if (survey.classes.some(({ testDefective }) => testDefective > 0))
        print(`or:   bigrid compare ${root} --out DIR   measures the methods on these images`);
    });
}
