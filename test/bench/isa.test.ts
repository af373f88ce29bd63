import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { besides, entryPointOf } from "../../src/cli/isa/assembly.ts";
import { kindOf, shareOf, shortfalls } from "../../src/cli/isa/bar.ts";
import { boundOf, type Bound } from "../../src/cli/isa/bound.ts";
import { CARDS, ridgeOf, teraflopsOf } from "../../src/cli/isa/cards.ts";
import { compare } from "../../bench/isa/comparison.ts";
import { bytesOf, isMultiply } from "../../src/cli/isa/instructions.ts";
import { listingOf, listingsOf, marker, type Listing } from "../../src/cli/isa/listing.ts";
import { hotOf, loopsOf } from "../../src/cli/isa/loops.ts";
import { measuresOf, waitsIn } from "../../src/cli/isa/measures.ts";
import { pageOf } from "../../bench/isa/page.ts";
import { countsOf, rowOf, tableOf, textOf, type Report, type Row } from "../../src/cli/isa/report.ts";

const recorded = (name: string): string => readFileSync(`test/fixtures/isa/${name}.txt`, "utf8");

const STATS = `*** SHADER STATS ***
SGPRs: 128
VGPRs: 24
Spilled SGPRs: 0
Spilled VGPRs: 0
LDS size: 0
Scratch size: 0
Subgroups per SIMD: 16
Instructions: 9
********************`;

/** A listing of instructions and block names in LLVM's form. */
const listed = (...lines: readonly string[]): Listing =>
  listingOf(
    ["disasm:", ...lines.map((line) => (/^BB\d+$/.test(line) ? `${line}:` : `\t${line} ; bf800000`)), "", STATS].join(
      "\n",
    ),
  );

/** A loop of these instructions. */
const looped = (...lines: readonly string[]): Listing =>
  listed("BB0", "s_mov_b32 s0, 0", "BB1", ...lines, "s_cbranch_scc0 BB1", "BB2", "s_endpgm");

const ROW: Row = rowOf(
  {
    label: "tiled_product.forward<f32x4>",
    shader: "tiled_product",
    entryPoint: "forward",
    code: "fn forward() {}",
    element: "f32x4",
    uses: [
      { row: "a <training> step", isForced: false, intensity: 100 },
      { row: "matmul.forward, tiled", isForced: true, intensity: 10 },
    ],
  },
  listingOf(recorded("tiled_product.navi31")),
  CARDS["navi31"]!,
);

describe("listings:", () => {
  test("LLVM's form and the driver's own of the same loop have the same counts", () => {
    const [llvm, own] = ["navi31", "gfx1201"].map((gpu) =>
      measuresOf(listingOf(recorded(`tiled_product.${gpu}`)).program),
    );
    const counts = {
      isLoop: true,
      vector: 41,
      multiplies: 32,
      ldsLoads: 3,
      globalLoads: 0,
      clamps: 3,
      divisions: 0,
      waits: 1,
    };
    expect(llvm).toMatchObject(counts);
    expect(own).toMatchObject({ ...counts, isLoop: true });
  });

  test("the driver's numbers are read", () => {
    expect(listingOf(recorded("tiled_product.navi31")).stats).toMatchObject({
      vgprs: 60,
      spills: 0,
      scratch: 0,
      waves: 16,
    });
    expect(listingOf(recorded("batch_norm.navi31")).stats).toMatchObject({ vgprs: 24, shared: 0, waves: 32 });
  });

  test("each listing belongs to the marker before it, whatever else the driver says first", () => {
    const [one, other] = [recorded("batch_norm.navi31"), recorded("tiled_product.navi31")];
    const text = `a warning\n${marker(0)}${one}${marker(1)}${other}`;
    const listings = listingsOf(text);
    expect([...listings].map(([at, { stats }]) => [at, stats.vgprs])).toEqual([
      [0, 24],
      [1, 60],
    ]);
  });

  test("a pipeline without a listing, or with two, is an error", () => {
    const [own, another] = [
      recorded("batch_norm.navi31"),
      recorded("batch_norm.navi31").replace(/^VGPRs: \d+/m, "VGPRs: 1"),
    ];
    expect(listingsOf(`${marker(0)}${own}\n${another}`)).toEqual(listingsOf(`${marker(0)}${own}`));
    expect(() => listingsOf(`${marker(0)}${marker(1)}${recorded("batch_norm.navi31")}`)).toThrow("of one pipeline");
    expect(() => listingOf(recorded("batch_norm.navi31").repeat(2))).toThrow("of one pipeline");
    expect(() => listingOf(recorded("batch_norm.navi31").replace("VGPRs: 24", ""))).toThrow("VGPRs");
  });

  test("subgroups of 32 are told from those of 64", () => {
    expect(listed("v_cmp_gt_u32_e32 vcc, s0, v1").program.lanes).toBe(64);
    expect(listed("v_cmp_gt_u32_e32 vcc_lo, s0, v1").program.lanes).toBe(32);
    expect(listingOf(recorded("tiled_product.gfx1201")).program.lanes).toBe(64);
  });

  test("two instructions that are issued together count as two", () => {
    const { program } = looped("v_dual_fmac_f32 v1, v2, v3 :: v_dual_fmac_f32 v4, v5, v6");
    expect(measuresOf(program)).toMatchObject({ vector: 2, multiplies: 2 });
    expect(program.instructions.map(({ isPaired }) => isPaired).filter(Boolean)).toEqual([true]);
  });
});

describe("the hot part:", () => {
  test("a loop's own instructions leave out those of the loops in it", () => {
    const { program } = listed(
      ...["BB0", "s_mov_b32 s0, 0", "BB1", "v_fma_f32 v1, v2, v3, v4", "v_mov_b32_e32 v9, v8", "BB2"],
      ...["v_fma_f32 v5, v6, v7, v8", "v_fma_f32 v6, v6, v7, v8", "s_cbranch_scc0 BB2", "BB3", "s_branch BB1", "BB4"],
    );
    expect(loopsOf(program)).toEqual([
      { first: 1, last: 6 },
      { first: 3, last: 5 },
    ]);
    expect(hotOf(program).instructions.map(({ word }) => word)).toEqual(["v_fma_f32", "v_fma_f32", "s_cbranch_scc0"]);
  });

  test("a loop of matrices goes before one with more multiplications", () => {
    const fma = "v_fma_f32 v1, v2, v3, v4";
    const { program } = listed(
      ...["BB0", "v_wmma_f32_16x16x16_f16 v[0:3], v[4:11], v[12:19], v[0:3]", "s_cbranch_scc0 BB0"],
      ...["BB1", fma, fma, fma, "s_cbranch_scc0 BB1", "BB2", "s_endpgm"],
    );
    expect(measuresOf(program)).toMatchObject({ isLoop: true, matrices: 1, multiplies: 1 });
  });

  test("without a loop it is the whole program", () => {
    const measures = measuresOf(listingOf(recorded("batch_norm.navi31")).program);
    expect(measures).toMatchObject({ isLoop: false, divisions: 2, widths: { "128": 6 }, globalStores: 1 });
  });
});

describe("counts:", () => {
  test("a limit counts if an access uses it, by whatever way, and only then", () => {
    const load = "buffer_load_b128 v[8:11], v2, s[4:7], 0 offen";
    const shift = "v_lshlrev_b32_e32 v2, 4, v1";
    const clamps = (...lines: readonly string[]) => measuresOf(looped(...lines).program).clamps;
    expect(clamps("v_min_u32_e32 v1, s0, v3", shift, load)).toBe(1);
    expect(clamps(shift, load, "v_min_u32_e32 v1, s0, v3")).toBe(1); // for the next round
    expect(clamps("v_min_u32_e32 v5, s0, v3", shift, load)).toBe(0);
    expect(clamps("v_min_u32_e32 v1, s0, v3", "v_mov_b32_e32 v1, 0", shift, load)).toBe(0);
    expect(clamps("v_min_f32_e32 v1, s0, v3", shift, load)).toBe(0);
    const chosen = ["v_cmp_gt_u32_e32 vcc, v1, v3", "v_cndmask_b32_e32 v2, v4, v5, vcc"];
    expect(clamps("v_min_u32_e32 v1, s0, v3", ...chosen, load)).toBe(0); // chooses among indices
    expect(clamps("v_min_u32_e32 v1, s0, v3", "global_load_b32 v8, v[0:1], off")).toBe(1);
  });

  test("a division counts where its reciprocal is, and where it was computed before the loop", () => {
    const reciprocal = ["v_rcp_f32_e32 v1, v1", "v_mul_f32_e32 v1, 0x4f7ffffe, v1", "v_mul_hi_u32 v2, v1, v3"];
    const quotient = "v_mul_hi_u32 v4, v5, v2";
    const divisions = (...lines: readonly string[]) => measuresOf(looped(...lines).program).divisions;
    expect(divisions(...reciprocal, quotient)).toBe(1);
    expect(divisions(...reciprocal, quotient, quotient)).toBe(2);
    expect(divisions(quotient)).toBe(1);
    expect(divisions("v_mul_hi_u32 v4, 0xaaaaaaab, v2")).toBe(0); // by a constant
  });

  test("waits are measured from the last load that they wait for", () => {
    const fma = "v_fma_f32 v1, v2, v3, v4";
    const ways = (...lines: readonly string[]) => waitsIn(listed(...lines).program.instructions);
    const load = "ds_load_b128 v[8:11], v2";
    expect(ways(load, load, fma, fma, "s_waitcnt lgkmcnt(0)")).toEqual([{ kind: "lds", distance: 2 }]);
    expect(ways(load, fma, load, fma, fma, "s_waitcnt lgkmcnt(0)")).toEqual([{ kind: "lds", distance: 2 }]);
    expect(ways(load, fma, load, "s_waitcnt lgkmcnt(1)")).toEqual([{ kind: "lds", distance: 1 }]);
    expect(ways("ds_store_b128 v2, v[8:11]", "s_waitcnt lgkmcnt(0)")).toEqual([]);
    expect(ways("buffer_load_b32 v1, v2, s[4:7], 0 offen", fma, "s_wait_loadcnt 0x0")).toEqual([
      { kind: "global", distance: 1 },
    ]);
    expect(ways("buffer_load_b32 v1, v2, s[4:7], 0 offen", "s_waitcnt lgkmcnt(0)")).toEqual([]);
    expect(ways("s_waitcnt vmcnt(0)")).toEqual([]); // for what was loaded in the round before
  });

  test("names of every generation are known", () => {
    const words = ["v_fmac_f32_e32", "v_mac_f32_e32", "v_fma_mix_f32", "v_pk_fma_f16", "v_wmma_f32_16x16x16_f16"];
    const multiplies = (word: string) => isMultiply(word, `${word} v1, v2, v3, v4`);
    expect(words.filter((word) => !multiplies(word))).toEqual([]);
    expect(["v_mad_u32_u16", "v_mad_u64_u32", "v_mul_f32_e32", "v_add_f32"].filter(multiplies)).toEqual([]);
    expect(isMultiply("v_fma_mix_f32", "v_fma_mix_f32 v1, v2, 1.0, neg(0) op_sel_hi:[1,0,0]")).toBe(false); // converts
    const bytes = { buffer_load_dwordx4: 16, global_load_b96: 12, ds_read2_b32: 8, ds_load_2addr_stride64_b32: 8 };
    const narrow = { buffer_load_dword: 4, buffer_store_b32: 4, ds_load_u16_d16_hi: 2, buffer_load_ubyte: 1 };
    for (const [word, expected] of Object.entries({ ...bytes, ...narrow })) expect(bytesOf(word), word).toBe(expected);
  });
});

describe("what is wanted:", () => {
  test("the tiled product falls short in its share, its clamps and its waits", () => {
    expect(ROW.short).toEqual(["78 % multiply-adds", "3 clamps", "1 wait directly behind loads"]);
    expect(shareOf(ROW)).toBeCloseTo(32 / 41);
  });

  test("each requirement is met or not by itself", () => {
    const stats = { vgprs: 60, sgprs: 128, spills: 0, scratch: 0, shared: 9216, waves: 8, instructions: 100 };
    const roof: Bound = { roof: "memory", share: 1, limit: "roof" };
    const good = { ...measuresOf(looped().program), multiplies: 32, vector: 34, ldsLoads: 4, isLoop: true };
    const short = (changes: object) =>
      shortfalls("product", "f32x4", 100, roof, { ...stats, ...changes }, { ...good, ...changes }).length;
    expect(short({})).toBe(0);
    expect(short({ multiplies: 8, matrices: 8, vector: 8, ldsLoads: 64 })).toBe(0); // of 64 for each lane
    for (const worse of [
      ...[{ vector: 36 }, { multiplies: 0, ldsLoads: 0 }, { clamps: 1 }, { ldsLoads: 5 }, { waits: 1 }],
      ...[{ spills: 1 }, { scratch: 64 }, { waves: 7 }],
    ])
      expect(short(worse), JSON.stringify(worse)).toBe(1);
    const wide = (element: string, widths: Record<string, number>, divisions = 0) =>
      shortfalls("bandwidth", element, 0, roof, stats, { ...good, widths, divisions, waits: 3 }).length;
    expect(wide("f32x4", { "128": 2, "32": 1 })).toBe(0);
    expect(wide("f32x4", { "128": 1, "32": 2 })).toBe(1);
    expect(wide("f16x4", { "64": 2 })).toBe(0);
    expect(wide("f32", { "32": 2 })).toBe(0);
    expect(wide("f32", { "32": 2 }, 1)).toBe(1);
    const thin = (share: number) =>
      shortfalls("bandwidth", "f32", 6, { roof: "memory", share, limit: "vector" }, stats, good);
    expect(thin(1)).toEqual([]);
    expect(thin(0.4)).toEqual(["at most 40 % of memory's bandwidth, by vector"]);
  });

  test("a class follows from what is counted and shared", () => {
    const card = CARDS["navi31"]!; // 61.4 TFLOP/s, 960 GB/s
    expect(ridgeOf(card)).toBeCloseTo(64, 0);
    expect(kindOf(64, { shared: 0 }, card)).toBe("product");
    expect(kindOf(63, { shared: 1024 }, card)).toBe("bandwidth");
    expect(kindOf(0, { shared: 1024 }, card)).toBe("reduction");
    expect(kindOf(0, { shared: 0 }, card)).toBe("bandwidth");
  });
});

describe("the bound:", () => {
  const boundOn = (gpu: string, { program, stats }: Listing, intensity = 1000) =>
    boundOf(program, stats, CARDS[gpu]!, intensity);

  test("the table's rates give the makers' teraflops", () => {
    for (const [gpu, teraflops] of Object.entries({ vega10: 12.66, navi21: 23.04, navi31: 61.4, gfx1201: 48.7 }))
      expect(teraflopsOf(CARDS[gpu]!), gpu).toBeCloseTo(teraflops, 1);
  });

  test("multiply-adds alone reach the roof, and other instructions take theirs from it", () => {
    const fmas = Array.from({ length: 40 }, () => "v_fmac_f32_e32 v1, v2, v3");
    expect(boundOn("navi21", looped(...fmas))).toMatchObject({ roof: "arithmetic", share: 1 });
    const others = Array.from({ length: 40 }, () => "v_add_nc_u32_e32 v1, v2, v3");
    expect(boundOn("navi21", looped(...fmas, ...others))).toMatchObject({ share: 0.5, limit: "vector" });
    // of 64 lanes, RDNA 3 multiplies twice as many in a cycle, but does not add whole numbers faster
    expect(boundOn("navi31", looped(...fmas, ...others)).share).toBeCloseTo(1 / 3);
  });

  test("loads from workgroup memory, and few subgroups that wait, limit it", () => {
    const fmas = Array.from({ length: 8 }, () => "v_fmac_f32_e32 v1, v2, v3");
    expect(boundOn("navi21", looped("ds_load_b128 v[8:11], v2", ...fmas))).toMatchObject({ share: 1, limit: "roof" });
    expect(boundOn("navi21", looped("ds_load_b128 v[8:11], v2", ...fmas.slice(4)))).toMatchObject({
      share: 0.5,
      limit: "LDS",
    });
    const waiting = looped("buffer_load_b32 v8, v2, s[4:7], 0 offen", "s_waitcnt vmcnt(0)", ...fmas);
    expect(boundOn("navi21", waiting)).toMatchObject({ limit: "latency" });
    expect(boundOn("navi21", waiting).share).toBeCloseTo(16 / ((16 + 500) / 16));
  });

  test("a kernel that does not multiply is measured by its bytes", () => {
    const copy = looped(
      "buffer_load_b128 v[8:11], v2, s[4:7], 0 offen",
      "buffer_store_b128 v[8:11], v2, s[4:7], 0 offen",
    );
    expect(boundOn("navi31", copy, 0)).toMatchObject({ roof: "memory", share: 1, limit: "roof" });
  });

  test("where memory takes longer than the operations, the share is one of its bandwidth", () => {
    const [multiply, add] = ["v_fmac_f32_e32 v1, v2, v3", "v_add_nc_u32_e32 v1, v2, v3"];
    const half = looped(...Array.from({ length: 40 }, () => [multiply, add]).flat());
    const ridge = ridgeOf(CARDS["navi21"]!);
    expect(boundOn("navi21", half, ridge)).toMatchObject({ roof: "arithmetic", share: 0.5 });
    expect(boundOn("navi21", half, 0.8 * ridge)).toMatchObject({ roof: "memory", limit: "vector" });
    expect(boundOn("navi21", half, 0.8 * ridge).share).toBeCloseTo(0.5 / 0.8);
    expect(boundOn("navi21", half, 0.5 * ridge)).toEqual({ roof: "memory", share: 1, limit: "roof" });
  });

  test("of a loop without bytes, what the kernel stores behind it counts", () => {
    const draws = Array.from({ length: 9 }, () => "v_mul_lo_u32 v1, v2, v3");
    const { program, stats } = listed(
      ...["BB0", "v_fma_f32 v1, v2, v3, v4", ...draws, "s_cbranch_scc0 BB0", "BB1"],
      ...["buffer_store_b32 v1, v2, s[4:7], 0 offen", "s_endpgm"],
    );
    expect(measuresOf(program)).toMatchObject({ isLoop: true, widths: {} });
    expect(boundOn("navi31", { program, stats }, 0)).toMatchObject({ share: 1, limit: "roof" });
  });

  test("the recorded loop is limited by its other vector instructions", () => {
    expect(ROW.bound).toEqual({ roof: "arithmetic", share: 0.64, limit: "vector" });
  });
});

describe("the report:", () => {
  const report: Report = {
    ...{ gpu: "navi31", card: CARDS["navi31"]!, driver: "radv: Mesa 25.0.7", commit: "0", date: "2025-11-30" },
    rows: [ROW, { ...ROW, name: "other", isDefault: false }, { ...ROW, name: "good", short: [] }],
  };

  test("only forms that the device takes by itself count", () => {
    expect(countsOf(report.rows).product).toEqual({ good: 1, all: 2 });
  });

  test("the file is JSON with a line for each row", () => {
    expect(JSON.parse(textOf(report))).toEqual(report);
    expect(textOf(report).split("\n")).toHaveLength(report.rows.length + 3);
  });

  test("the table ends in names and shortfalls", () => {
    const [title, ...lines] = tableOf(report.rows);
    expect(title).toMatch(/VGPRs .* kernel$/);
    expect(lines[0]).toMatch(/ 60 .* 78 % .* tiled_product\.forward<f32x4>: 78 % multiply-adds; 3 clamps/);
    expect(lines[1]).toMatch(/only if asked for/);
    expect(lines[2]).toMatch(/good: as wanted$/);
  });

  test("the page has a bar for each row, and no text that is taken for markup", () => {
    const page = pageOf(report);
    expect(page.match(/<svg/g)).toHaveLength(2 * report.rows.length);
    expect(page).toContain("tiled_product.forward&lt;f32x4&gt;");
    expect(page).not.toContain("<training>");
  });

  test("a row that got worse is flagged, with the reason; a better one is not", () => {
    const worse = compare([ROW], [{ ...ROW, clamps: 4, waves: 12, multiplies: 30 }], false);
    expect(worse.worse).toBe(1);
    expect(worse.lines[0]).toMatch(/WORSE, multiply-adds 78 % -> 73 %; clamps 3 -> 4; waves 16 -> 12/);
    expect(compare([ROW], [{ ...ROW, clamps: 0, waves: 20 }], false).worse).toBe(0);
    expect(compare([ROW], [{ ...ROW, bound: { ...ROW.bound, share: 0.5 } }], false).worse).toBe(1);
    expect(compare([ROW], [], false).lines).toContain(`${ROW.name}: not there now`);
    expect(compare([ROW], [], true).lines).toHaveLength(1);
  });

  test("assembly stands beside the entry point, from its attributes to its end", () => {
    const code =
      "fn helper() {\n}\n\n@compute @workgroup_size(64)\nfn forward(@builtin(x) x: u32) {\n  if (x) {\n  }\n}\n\nfn g() {\n}";
    expect(entryPointOf(code, "forward").split("\n")).toEqual(code.split("\n").slice(3, 8));
    const indented = [
      "  @compute @workgroup_size(8)",
      "  fn forward(",
      "    @builtin(a) a: u32,",
      "  ) {",
      "    { x(); }",
      "  }",
    ];
    expect(entryPointOf([...indented, "  fn other() {}"].join("\n"), "forward").split("\n")).toEqual(indented);
    expect(() => entryPointOf(code, "backward")).toThrow("no entry point backward");
    expect(besides(["a", "b"], ["c"])).toEqual([`${"a".padEnd(64)} | c`, `${"b".padEnd(64)} |`]);
  });
});
