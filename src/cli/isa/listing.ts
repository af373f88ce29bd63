// The driver's listing, as RADV_DEBUG=asm,shaderstats writes it: for each pipeline its assembly by basic block, then
// numbers about it. LLVM writes the assembly, `v_fmac_f32_e32 v1, v2, v3 ; 56...`; for cards that it does not know, the
// driver prints its own form, ` v1: %7:v[1] = v_fmac_f32 %2:v[2], %3:v[3], %4:v[1]`. Both become the same here.

/** One instruction. */
export interface Instruction {
  readonly word: string;
  /** Registers by name: "v12", "s3", "vcc". */
  readonly writes: readonly string[];
  readonly reads: readonly string[];
  /** The line without encoding. */
  readonly text: string;
  /** Name of the block that a branch goes to. */
  readonly target: string | null;
  /** True for the second of two that are issued together. */
  readonly isPaired: boolean;
}

/** A pipeline's assembly. */
export interface Program {
  readonly instructions: readonly Instruction[];
  /** Positions of blocks' first instructions, by name. */
  readonly blocks: ReadonlyMap<string, number>;
  /** Invocations of a subgroup. */
  readonly lanes: 32 | 64;
}

/** The driver's numbers. */
export interface Stats {
  readonly vgprs: number;
  readonly sgprs: number;
  /** Registers of either kind that do not fit. */
  readonly spills: number;
  /** Bytes of memory for what registers do not hold, of a subgroup. */
  readonly scratch: number;
  /** Workgroup memory, in bytes. */
  readonly shared: number;
  /** Subgroups that a SIMD holds at the same time. */
  readonly waves: number;
  readonly instructions: number;
}

/** All that the driver says about a pipeline. */
export interface Listing {
  readonly program: Program;
  readonly stats: Stats;
}

/** The line that precedes the listing of a pipeline. */
export const marker = (index: number): string => `\nbigrid pipeline ${index}\n`;

const BEGIN = /^disasm:$/m;
const MARKER = /^bigrid pipeline (\d+)$/m;
const BLOCK = /^(BB\d+):?$/;
const REGISTER = /\b([vs])\[(\d+)(?:[:-](\d+))?\]|\b([vs])(\d+)\b(?!:)|\b(vcc|exec|scc|m0)(?:_lo|_hi)?\b/g;
const OWN_FORM = "falling back to print_program";

/**
 * The listings by the markers before them. Of several behind a marker the first counts: Dawn makes pipelines of its own,
 * to resolve timestamps for example.
 * @throws Error if a pipeline has no listing
 */
export function listingsOf(text: string): ReadonlyMap<number, Listing> {
  const [, ...parts] = text.split(MARKER);
  const listings = new Map<number, Listing>();
  for (let i = 0; i < parts.length; i += 2) {
    const [before, first] = parts[i + 1]!.split(BEGIN);
    listings.set(Number(parts[i]), listingOf(first === undefined ? before! : `disasm:${first}`));
  }
  return listings;
}

/** @throws Error unless the text is the listing of one pipeline */
export function listingOf(text: string): Listing {
  const [, assembly, ...more] = text.split(BEGIN);
  const [code, numbers] = (assembly ?? "").split("*** SHADER STATS ***");
  if (numbers === undefined || more.length > 0) {
    throw new Error(`expected the listing of one pipeline, got ${text.length} signs with ${more.length + 1} or none`);
  }
  return { program: programOf(code!), stats: statsOf(numbers) };
}

function statsOf(text: string): Stats {
  const of = (name: string): number => {
    const value = new RegExp(`^${name}: (\\d+)`, "m").exec(text);
    if (!value) throw new Error(`the listing does not say ${name}`);
    return Number(value[1]);
  };
  return {
    vgprs: of("VGPRs"),
    sgprs: of("SGPRs"),
    spills: of("Spilled SGPRs") + of("Spilled VGPRs"),
    scratch: of("Scratch size"),
    shared: of("LDS size"),
    waves: of("Subgroups per SIMD"),
    instructions: of("Instructions"),
  };
}

function programOf(code: string): Program {
  const isOwnForm = code.includes(OWN_FORM);
  const instructions: Instruction[] = [];
  const blocks = new Map<string, number>();
  for (const line of code.split("\n")) {
    const block = BLOCK.exec(line.trim());
    if (block) blocks.set(block[1]!, instructions.length);
    else if (line.startsWith("\t")) instructions.push(...(isOwnForm ? ownInstructions(line) : llvmInstructions(line)));
  }
  const narrow = isOwnForm ? /\bs1: %\d+:exec\b/ : /\b(?:vcc|exec)_lo\b|saveexec_b32/;
  return { instructions, blocks, lanes: narrow.test(code) ? 32 : 64 };
}

/** Registers that occur in operands, each of a range by itself. */
function registersIn(operands: string): string[] {
  return [...operands.matchAll(REGISTER)].flatMap(([, file, first, last, single, number, special]) => {
    if (special) return [special];
    if (single) return [`${single}${number}`];
    const [from, to] = [Number(first), Number(last ?? first)];
    return Array.from({ length: to - from + 1 }, (_, i) => `${file}${from + i}`);
  });
}

const targetOf = (operands: string): string | null => /\bBB\d+\b/.exec(operands)?.[0] ?? null;

// Words whose first operand is not a result.
const NO_RESULT =
  /^(s_(cmp|bitcmp|wait|branch|cbranch|barrier|nop|delay|clause|endpgm|sendmsg|sleep|inst)|\w+_(store|write))/;

/** One line of LLVM's, which has two instructions if they are issued together. */
function llvmInstructions(line: string): Instruction[] {
  const text = line.split(";")[0]!.trim();
  return text.split(" :: ").map((part, i) => {
    const [word, rest = ""] = splitOnce(part, " ");
    const [first, others = ""] = splitOnce(rest, ",");
    const hasResult = !NO_RESULT.test(word);
    const writes = registersIn(hasResult ? first : "");
    const reads = registersIn(hasResult ? others : rest);
    return {
      word: word.replace("v_dual_", "v_"),
      writes,
      // what a multiplication is added to
      reads: /^v_(dual_)?(fmac|mac|pk_fmac|dot2c|dot2acc)/.test(word) ? [...writes, ...reads] : reads,
      text: part,
      target: targetOf(rest),
      isPaired: i > 0,
    };
  });
}

/** One line of the driver's own form. */
function ownInstructions(line: string): Instruction[] {
  const text = line.trim();
  return text.split(" :: ").map((part, i) => {
    const [results, call] = part.includes(" = ") ? splitOnce(part, " = ") : ["", part];
    const [word, operands = ""] = splitOnce(call!, " ");
    return {
      word: word.replace("v_dual_", "v_"),
      writes: registersIn(results.replaceAll(/\b[vs]\d+: /g, "")),
      reads: registersIn(operands),
      text: part.replaceAll(/%\d+:/g, ""),
      target: targetOf(operands),
      isPaired: i > 0,
    };
  });
}

function splitOnce(text: string, by: string): [string, string?] {
  const at = text.indexOf(by);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + by.length).trim()];
}
