import { printableLines } from "../../io/printable.ts";
import type { KeptDetector } from "../../node/inspection/kept_detector.ts";
import { inspectBatches, type InspectionOptions } from "../../node/inspection/pipeline.ts";
import { InputError, OptionError } from "../../runtime/errors.ts";
import { say } from "../terminal/say.ts";
import { AwaitedSignals } from "../terminal/signals.ts";
import { onOutputFailure, outputFailure, write } from "../terminal/standard_output.ts";
import type { PredictFlags } from "./flags.ts";
import { formOf, framesInWords, type FramesFlag } from "./frame_forms.ts";
import { FrameStream } from "./frame_stream.ts";
import { openStream } from "./name_list.ts";
import { remarkOnReplaced, Tables, type Outputs } from "./outputs.ts";
import type { Counts } from "./record.ts";
import { FRAME_COLUMNS, jsonLine } from "./results.ts";
import { reportSkipped } from "./runs.ts";

/**
 * Opens a stream of frames, which is read from now on.
 * @param word that stands for the stream
 * @throws OptionError if it is a terminal
 */
export function openFrames(word: string, flag: FramesFlag, { batch, latest = false }: PredictFlags): FrameStream {
  const { stream, name } = openStream(word);
  if ("isTTY" in stream && stream.isTTY)
    throw new OptionError(`${name} is a terminal: pipe ${framesInWords(flag)} into it, as ffmpeg writes them`);
  return new FrameStream(stream, formOf(flag), {
    name,
    batch,
    latest,
    onForeign: () => say("what lies between the frames and is no JPEG is skipped"),
  });
}

/**
 * Inspects frames as they come, until their stream or a signal ends it. Each frame's line is printed at once; tables
 * and pictures have it before.
 * @throws InputError if the stream cannot be read, or none of its frames can
 */
export async function predictFrames(
  kept: KeptDetector,
  frames: FrameStream,
  { frames: flag, latest = false, strict = false }: PredictFlags,
  outputs: Outputs,
  options: InspectionOptions,
): Promise<Counts> {
  const counts: Counts = { good: 0, defective: 0, unreadable: 0 };
  const signals = new AwaitedSignals("ending after the frames that are being inspected", () => frames.end());
  onOutputFailure(() => frames.end());
  say(`reading ${framesInWords(flag!)} from ${frames.name}; Ctrl-C ends it`);
  let tables: Tables | null = null;
  try {
    // the newest frame is taken when there is time for it, not while another is inspected
    for await (const batch of inspectBatches(kept, frames, options, { first: 1, underWay: latest ? 1 : 2 })) {
      reportSkipped(batch, strict);
      const rows = batch.map(({ item: { frame, time }, result }) => ({ frame, time, ...result }));
      tables ??= await beginTables(outputs);
      await tables.append(rows);
      for (const row of rows) {
        counts[row.verdict]++;
        await write(printableLines(jsonLine(row)));
      }
      if (outputFailure()) break;
    }
  } finally {
    signals.ignore();
    frames.end();
    await tables?.close();
  }
  const done = counts.good + counts.defective + counts.unreadable;
  if (done > 0) say(summaryOf(frames, counts, done));
  if (signals.came || outputFailure()) return counts;
  if (done === 0)
    throw new InputError(
      `there were no frames: the stream ended after ${frames.foreign} bytes${frames.foreign > 0 ? " that are no JPEG" : ""}; look at what the program before has to say`,
    );
  if (counts.unreadable === done) throw new InputError(`none of the ${done} frames could be read`);
  return counts;
}

async function beginTables(outputs: Outputs): Promise<Tables> {
  await remarkOnReplaced(outputs);
  return Tables.begin(outputs, none, FRAME_COLUMNS);
}

async function* none(): AsyncGenerator<never> {}

/** "120 frames in 6.2 s, 19.4 frames/s: 3 defective, 1 unreadable; 34 dropped for newer ones". */
function summaryOf(frames: FrameStream, { defective, unreadable }: Counts, done: number): string {
  const { seconds, dropped, waiting, foreign } = frames;
  const parts = [
    `${done} ${done === 1 ? "frame" : "frames"} in ${seconds.toFixed(1)} s, ${(done / Math.max(seconds, 1e-3)).toFixed(1)} frames/s: ${defective} defective${unreadable > 0 ? `, ${unreadable} unreadable` : ""}`,
    ...(dropped > 0 ? [`${dropped} dropped for newer ones`] : []),
    ...(waiting > 0 ? [`${waiting} that had come are left`] : []),
    ...(foreign > 0 ? [`${foreign} bytes that are no JPEG skipped`] : []),
  ];
  return parts.join("; ");
}
