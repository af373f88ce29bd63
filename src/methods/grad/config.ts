import { OptionError } from "../../runtime/errors.ts";
import { PUBLISHED_BLOCKS, requireBlocks, type FeatureBlockOptions } from "../../ops/feature_block_paste.ts";
import { choiceOf, readOptions, requireWhole } from "../../runtime/options.ts";

export { PASTE_DIRECTIONS, PASTE_DRAWS, PASTE_SIGNS, PASTE_SOURCES, WALKS, type FeatureBlockOptions } from "../../ops/feature_block_paste.ts";

/** The decoders, smallest first. */
export const DECODERS = ["tiny", "mobile", "basic"] as const;
export const BRANCHES = ["both", "normal", "abnormal"] as const;
export const HEADS = ["shared", "separate"] as const;
export const FUSIONS = ["learned", "sum", "lambda", "none"] as const;
export const HINGE_HEADS = ["channel", "own"] as const;
export const PAIRS = ["none", "cosine"] as const;
export const FREEZES = ["grids", "branch"] as const;
export const FORMS = ["joined", "published"] as const;

/** `tiny` for software adapters, `mobile` for GPUs, `basic` as in the paper's tables. */
export type DecoderName = (typeof DECODERS)[number];

/** What the paper and its relatives leave open, and where this model differs from them; `form` has the defaults. */
export interface GradOptions {
  /**
   * What the other options are by default where there are both branches. "published": as in the published code, the abnormal branch is
   * fused into the reconstruction. "joined": the normal grid reconstructs alone, and hinges' scores join its map and the image's score:
   * heads "separate", fusion "none", freeze "branch", hingeWeight 0.2, residualWeight 4. Default "joined".
   */
  readonly form?: (typeof FORMS)[number];
  /** Default "mobile". */
  readonly decoder?: DecoderName;
  /** Blocks of a decoder. Default: 1 for "tiny", 11 for "mobile", 9 for "basic". */
  readonly blocks?: number;
  /** Cells along a side of the local grids. Default 8; 32 for large objects in many poses. */
  readonly localGrid?: number;
  /** Cells along a side of the global grids. Default 4. */
  readonly globalGrid?: number;
  /** Which branches there are. The abnormal one alone reconstructs by itself; the normal one alone has no first stage. Default "both". */
  readonly branches?: (typeof BRANCHES)[number];
  /**
   * Whether both branches look at the same coordinates (the journal's version) or each has heads of its own. Default: by `form`, "shared" as
   * published.
   */
  readonly heads?: (typeof HEADS)[number];
  /** Whether the abnormal branch's queries are standardised per image and channel. Default true. */
  readonly standardise?: boolean;
  /**
   * r = r_n + w r_a with w "learned", or w = 1 ("sum", the paper's eq. 2), or r = l r_n + (1 - l) r_a ("lambda", the journal's
   * eq. 11), or r = r_n ("none": the abnormal branch only has its hinge to say). Default: by `form`, "learned" as published.
   */
  readonly fusion?: (typeof FUSIONS)[number];
  /** l of that. Default 0.5. */
  readonly lambda?: number;
  /** First value of a learned w. Default -0.2. */
  readonly abnormalWeight?: number;
  /** What the hinge trains: "channel" 0 of the abnormal reconstruction, or a 1x1 head of its "own" on it. Default "channel". */
  readonly hingeHead?: (typeof HINGE_HEADS)[number];
  /** Threshold of the hinge. Default 0.5. */
  readonly hinge?: number;
  /**
   * What the hinge compares: "none", scores with their mask; or the "cosine" of pairs of abnormal features, alike or not by the mask.
   * Default "none".
   */
  readonly pairs?: (typeof PAIRS)[number];
  /** Pairs of each kind a step. Default 256. */
  readonly pairCount?: number;
  /**
   * How features are disturbed in the first stage and the third. Default: along "random" directions, one for each cell, of intensity 1 to 3
   * in units of the channels' deviations; "equal" ones, as published, are of 8 to 16 in units of EfficientNet's features, which are brought
   * to these features' scale; "differences" of 1. Blocks are up to a third of the map.
   */
  readonly paste?: Partial<FeatureBlockOptions>;
  /**
   * How much the hinge's scores of the features count in the anomaly map, in deviations of the map over good images for each of
   * theirs. Default: by `form`, as published 0, not at all. Heads that are "separate" and a frozen "branch" leave the hinge as the first
   * stage left it.
   */
  readonly hingeWeight?: number;
  /** From how many deviations above the mean of good images' scores on they count. Default 1. */
  readonly hingeFloor?: number;
  /**
   * The same for a second hinge, a small head on |r - a| in units of each channel's deviation, whose scores count in the image's score,
   * not in the map. Above 0, a third stage teaches it pasted blocks, with everything else as the second left it. Default: by `form`, as
   * published 0, there is none.
   */
  readonly residualWeight?: number;
  /** From where on its scores count, likewise. Default 0. */
  readonly residualFloor?: number;
  /** What the second stage leaves alone: the abnormal "grids", or the whole abnormal "branch". Default: by `form`, "grids" as published. */
  readonly freeze?: (typeof FREEZES)[number];
}

/** Everything that fixes a GRAD model's shapes and formulas. */
export interface GradConfig extends Required<Omit<GradOptions, "form" | "paste">> {
  /** As asked for, and with the features' own units. */
  readonly paste: FeatureBlockOptions;
  /** Extent of the feature map, cells. */
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** Squared error, mean over channels, up to which a position counts as similar; in squared units of the features. */
  readonly similarityThreshold: number;
}

/** Variance of EfficientNet's features, in whose units GRAD's constants are stated. */
export const REFERENCE_VARIANCE = 24;
const SIMILARITY_THRESHOLD = 10;
const INTENSITY = { equal: [8, 16], random: [1, 3], differences: [1, 1] } as const;
const BLOCKS = { tiny: 1, mobile: 11, basic: 9 };
/** The largest that whole numbers may be: far beyond what is of use, and small enough to be tried. */
const MOST = { blocks: 1000, localGrid: 1 << 10, globalGrid: 1 << 10, pairCount: 1 << 20 } as const;
const MOST_NUMBERS = 1 << 29; // of a grid: 2 GiB
const PUBLISHED = { heads: "shared", fusion: "learned", freeze: "grids", hingeWeight: 0, residualWeight: 0 } as const;
const JOINED = { heads: "separate", fusion: "none", freeze: "branch", hingeWeight: 0.2, residualWeight: 4 } as const;

/** Whether hinges join the map unless other options say otherwise. */
export const isJoined = ({ branches = "both", form = "joined" }: GradOptions): boolean => branches === "both" && form === "joined";

/**
 * The published constants, for features of the given variance.
 * @throws OptionError for an option unknown or out of range
 */
export function gradConfig(
  features: { readonly height: number; readonly width: number; readonly channels: number; readonly variance: number },
  options: GradOptions = {},
): GradConfig {
  const { height, width, channels, variance } = features;
  const { form, paste, ...settings } = readOptions<Required<GradOptions>>("grad", options, {
    form: "joined", decoder: "mobile", blocks: BLOCKS[options.decoder ?? "mobile"] ?? 1, localGrid: 8, globalGrid: 4, branches: "both", standardise: true,
    lambda: 0.5, abnormalWeight: -0.2, hingeHead: "channel", hinge: 0.5, pairs: "none", pairCount: 256, hingeFloor: 1, residualFloor: 0, paste: {},
    ...(isJoined(options) ? JOINED : PUBLISHED),
    ...(options.pairs === "cosine" && { hingeWeight: 0 }), // of pairs there are no scores
  });
  choiceOf("grad", "form", FORMS, form);
  const similarityThreshold = SIMILARITY_THRESHOLD * (variance / REFERENCE_VARIANCE);
  const config = { height, width, channels, similarityThreshold, ...settings, paste: pasteOf({ height, width }, variance, paste) };
  requireValid(config);
  return config;
}

/** @throws OptionError for an option out of range */
export function requireValid(settings: GradConfig): void {
  const choices = { decoder: DECODERS, branches: BRANCHES, heads: HEADS, fusion: FUSIONS, hingeHead: HINGE_HEADS, pairs: PAIRS, freeze: FREEZES };
  for (const [name, allowed] of Object.entries(choices)) choiceOf("grad", name, allowed, settings[name as keyof typeof choices]);
  for (const name of ["blocks", "localGrid", "globalGrid", "pairCount"] as const) requireWhole("grad", name, 1, [settings[name]], MOST[name]);
  const { height, width, channels } = settings;
  const numbers = { localGrid: settings.localGrid ** 2 * channels, globalGrid: settings.globalGrid ** 2 * height * width * channels };
  for (const [name, count] of Object.entries(numbers)) {
    if (count <= MOST_NUMBERS) continue;
    const cells = settings[name as keyof typeof numbers];
    const expected = `${name} of so few cells that the grid holds at most ${MOST_NUMBERS} numbers`;
    throw new OptionError(`grad: expected ${expected}, got ${cells} a side, which makes ${count} for features [${height},${width},${channels}]`);
  }
  const { standardise, lambda, abnormalWeight, hinge, hingeHead, hingeWeight, hingeFloor } = settings;
  const { residualWeight, residualFloor, pairs, branches, freeze, paste } = settings;
  if (branches === "abnormal" && freeze === "branch") {
    throw new OptionError("grad: expected freeze grids where the abnormal branch is the only one, got branch");
  }
  for (const [name, weight] of Object.entries({ hingeWeight, residualWeight })) {
    if (weight < 0) throw new OptionError(`grad: expected ${name} of at least 0, got ${weight}`);
  }
  if (hingeWeight > 0 && (branches === "normal" || pairs === "cosine")) {
    const expected = `an abnormal branch and pairs none for hinge scores of weight ${hingeWeight}`;
    throw new OptionError(`grad: expected ${expected}, got branches ${branches} and pairs ${pairs}`);
  }
  if (pairs === "cosine" && hingeHead === "own") {
    throw new OptionError("grad: expected hingeHead channel with pairs cosine, which compares features and has no use for a head, got own");
  }
  if (typeof standardise !== "boolean") throw new OptionError(`grad: expected standardise to be true or false, got ${String(standardise)}`);
  for (const [name, value] of Object.entries({ lambda, abnormalWeight, hinge, hingeWeight, hingeFloor, residualWeight, residualFloor })) {
    if (!Number.isFinite(value)) throw new OptionError(`grad: expected ${name} to be a finite number, got ${value}`);
  }
  if (typeof paste !== "object" || paste === null) throw new OptionError(`grad: expected paste to be how blocks are pasted, got ${String(paste)}`);
  requireBlocks("grad paste", [1, settings.height, settings.width], paste);
}

/** How features of the given extent and variance are disturbed: what is asked for, else the defaults. */
function pasteOf({ height, width }: Pick<GradConfig, "height" | "width">, variance: number, options: Partial<FeatureBlockOptions>): FeatureBlockOptions {
  const extent = Math.min(height, width);
  const direction = options.direction ?? "random";
  const paste = readOptions<FeatureBlockOptions>("grad paste", options, {
    ...PUBLISHED_BLOCKS, direction, maxHalfSide: Math.min(0.34 * extent + 0.5, (extent - 1) / 2), intensity: INTENSITY[direction] ?? [1, 1],
    shared: [0, 0],
  });
  const unit = direction === "equal" ? Math.sqrt(variance / REFERENCE_VARIANCE) : 1;
  const [low, high] = paste.intensity;
  return { ...paste, intensity: [low * unit, high * unit] };
}
