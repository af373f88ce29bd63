import { hotOf } from "./loops.ts";
import type { Listing } from "./listing.ts";
import type { CompiledPipeline } from "./manifest.ts";

const WIDTH = 64; // of the left column

/**
 * The entry point of a WGSL file, from its attributes to its last brace.
 * @throws Error if the file has none of that name
 */
export function entryPointOf(code: string, name: string): string {
  const lines = code.split("\n");
  const at = lines.findIndex((line) => new RegExp(`\\bfn ${name}\\(`).test(line));
  if (at < 0) throw new Error(`no entry point ${name} in the WGSL`);
  const isAttribute = (line: string | undefined) => line?.trimStart().startsWith("@") ?? false;
  const first = isAttribute(lines[at]) || !isAttribute(lines[at - 1]) ? at : at - 1;
  let depth = 0;
  const last = lines.findIndex((line, i) => {
    if (i < at) return false;
    for (const sign of line) depth += sign === "{" ? 1 : sign === "}" ? -1 : 0;
    return depth === 0 && line.includes("}");
  });
  return lines.slice(first, last + 1).join("\n");
}

/** Two texts side by side, line by line. */
export function besides(left: readonly string[], right: readonly string[]): readonly string[] {
  return Array.from({ length: Math.max(left.length, right.length) }, (_, i) => {
    const [a, b] = [left[i] ?? "", right[i] ?? ""];
    return `${a.length > WIDTH ? `${a.slice(0, WIDTH - 1)}…` : a.padEnd(WIDTH)} | ${b}`.trimEnd();
  });
}

/** The hot part of a pipeline beside the WGSL that it comes from. */
export function assemblyOf(
  { label, shader, entryPoint, code }: CompiledPipeline,
  { program }: Listing,
): readonly string[] {
  const { instructions, isLoop } = hotOf(program);
  const wgsl = entryPointOf(code, entryPoint);
  return [
    label,
    `${isLoop ? "its loop" : "all of it, as it has no loop"}, beside ${entryPoint} of ${shader}. Lines do not correspond: Dawn hands the driver no line numbers.`,
    ...besides(
      instructions.map(({ text }) => text.replaceAll(/\s+/g, " ")),
      wgsl.split("\n"),
    ),
    "",
  ];
}
