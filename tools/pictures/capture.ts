import { arrow, path, picture, text } from "./draw.ts";
import { bottomOf, box, leftOf, MARGIN, note, operation, rightOf, topOf, WIDTH } from "./flow.ts";

/** Capture and replay, and who owns which memory. */
export function capture(): string {
  const host = box(MARGIN, 56, 132, ["f, once", "shapes, checks,", "allocations"]);
  const recording = box(206, 56, 158, ["Recording", "sends each call", "and notes it"]);
  const gpu = box(440, 56, 100, ["GPU"], { height: 208, fill: "paper" });
  const program = box(206, 192, 158, ["Program", "commands, params,", "bind groups"]);
  const outside = box(MARGIN, 342, 164, ["device's pool", "inputs, weights:", "read in place"], {
    fill: "blueSoft",
    stroke: "blue",
    height: 84,
  });
  const own = box(198, 342, 164, ["program's pool", "results: each run", "overwrites them"], {
    fill: "greenSoft",
    stroke: "green",
    height: 84,
  });
  const shared = box(376, 342, 164, ["shared buffers", "what a run needs", "only meanwhile"], {
    fill: "greenSoft",
    stroke: "green",
    height: 84,
  });
  return picture(
    {
      width: WIDTH,
      height: 512,
      title: "Capture and replay, and who owns which memory",
      description:
        "In capture, the host runs a function once: a recording sends each of its calls to the GPU and notes it. The notes become a program of commands, params and bind groups. In each run, the program is encoded again, without the function. Three kinds of buffers: the device's pool holds inputs and weights from outside, which a run reads in place; they belong to scopes or to the caller. The program's pool holds results, which each run overwrites. Buffers that programs share hold what is needed only during a run. The latter two belong to programs and end with the last of them.",
    },
    [
      text([MARGIN, 36], "device.capture(f)", { bold: true, monospace: true }),
      host.marks,
      recording.marks,
      gpu.marks,
      program.marks,
      operation([rightOf(host), leftOf(recording)], ["calls"]),
      arrow([rightOf(recording), [gpu.x, rightOf(recording)[1]]]),
      operation([bottomOf(recording), topOf(program)], ["noted"]),
      text([MARGIN, rightOf(program)[1] - 14], "program.run()", { bold: true, monospace: true }),
      note([MARGIN, rightOf(program)[1] + 6], ["without f: nothing is", "allocated or uploaded"]),
      operation([rightOf(program), [gpu.x, rightOf(program)[1]]], ["encoded"]),
      path(`M${MARGIN} 294H${WIDTH - MARGIN}`, { stroke: "hair" }),
      text([MARGIN, 322], "buffers, and who owns them", { bold: true }),
      outside.marks,
      own.marks,
      shared.marks,
      note([outside.x + 4, 452], ["owned by scopes", "and by the caller"]),
      note(
        [own.x + 4, 452],
        ["owned by programs that are captured", "beside each other; they end with the", "last program.release()"],
      ),
    ],
  );
}
