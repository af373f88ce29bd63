import { InvalidArgumentError, Option, type Command } from "commander";
import {
  BRANCHES, DECODERS, FREEZES, FUSIONS, HEADS, HINGE_HEADS, FORMS, PAIRS, PASTE_DIRECTIONS, PASTE_DRAWS, PASTE_SIGNS, PASTE_SOURCES, WALKS,
  type FeatureBlockOptions, type GradOptions,
} from "../methods/grad/config.ts";
import { positiveNumber, wholeNumber } from "./numbers.ts";

/** What the command line says about the model: its options by their names, and `paste`'s with that before theirs. */
export type GradFlags = Omit<GradOptions, "paste"> & { readonly [K in keyof FeatureBlockOptions as `paste${Capitalize<K>}`]?: FeatureBlockOptions[K] };

const number = (text: string): number => {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new InvalidArgumentError("A number is needed.");
  return value;
};

/** `count` numbers with commas between them, from text. */
const numbers = (count: number) => (text: string): readonly number[] => {
  const values = text.split(",");
  if (values.length !== count) throw new InvalidArgumentError(`${count} numbers with commas between them are needed.`);
  return values.map(number);
};

export function addGradFlags(command: Command): Command {
  return command
    .addOption(new Option("--decoder <name>", "size of the model (default: tiny on software adapters, else mobile)").choices(DECODERS))
    .option("--blocks <n>", "blocks of a decoder (default: 1 for tiny, 11 for mobile, 9 for basic)", wholeNumber(1))
    .option("--local-grid <cells>", "a side of the grids that positions look into (default: 8)", wholeNumber(1))
    .option("--global-grid <cells>", "a side of the grids that whole images look into (default: 4)", wholeNumber(1))
    .addOption(new Option(
      "--form <form>",
      "how the grids work together: hinges join the normal grid's map and score, or reconstructions are fused as published (default: joined)",
    ).choices(FORMS))
    .addOption(new Option("--branches <which>", "the grids that there are (default: both)").choices(BRANCHES))
    .addOption(new Option(
      "--heads <kind>",
      "whether both branches look at the same coordinates (default: by --form, separate or shared)",
    ).choices(HEADS))
    .option("--no-standardise", "leave the abnormal branch's queries as they are")
    .addOption(new Option("--fusion <kind>", "how both reconstructions become one (default: by --form, none or learned)").choices(FUSIONS))
    .option("--lambda <share>", "the normal branch's share in the fusion lambda (default: 0.5)", number)
    .option("--abnormal-weight <w>", "first value of a learned fusion's weight (default: -0.2)", number)
    .addOption(new Option(
      "--hinge-head <kind>",
      "what stage 1 trains: a channel of the reconstruction, or an own head (default: channel)",
    ).choices(HINGE_HEADS))
    .option("--hinge <threshold>", "what stage 1 pushes scores, or cosines, beyond (default: 0.5)", number)
    .addOption(new Option(
      "--pairs <kind>",
      "whether stage 1 compares scores with masks, or cosines of pairs (default: none)",
    ).choices(PAIRS))
    .option("--pair-count <n>", "pairs of each sort a step (default: 256)", wholeNumber(1))
    .option("--hinge-weight <w>", "how much the hinge's scores count in the anomaly map (default: by --form, 0.2 or 0, not at all)", number)
    .option("--hinge-floor <deviations>", "from how many above good images' mean on they count (default: 1)", number)
    .option(
      "--residual-weight <w>",
      "how much a hinge on the residual, which a third stage teaches, counts in the image's score (default: by --form, 4 or 0, there is none)",
      number,
    )
    .option("--residual-floor <deviations>", "from where on its scores count (default: 0)", number)
    .addOption(new Option(
      "--freeze <what>",
      "what stage 2 leaves alone: the abnormal grids, or the whole branch (default: by --form, branch or grids)",
    ).choices(FREEZES))
    .addOption(new Option(
      "--paste-direction <kind>",
      "what stage 1 adds to features: the same to all channels, a random pattern, or differences to other features (default: random)",
    ).choices(PASTE_DIRECTIONS))
    .option("--paste-intensity <low,high>", "how much of it (default: 1,3 deviations; 8,16 for equal; 1,1 for differences)", numbers(2))
    .option("--paste-shared <low,high>", "share of a random pattern that a block's cells have in common (default: 0,0)", numbers(2))
    .addOption(new Option(
      "--paste-signs <of>",
      "what a coin turns round: nothing, a block, its channels, its cells' channels (default: none)",
    ).choices(PASTE_SIGNS))
    .addOption(new Option(
      "--paste-source <where>",
      "features to take differences to: of other images, or of other places (default: images)",
    ).choices(PASTE_SOURCES))
    .addOption(new Option(
      "--paste-walk <kind>",
      "how a block gets its shape: as in the published code, or in the paper (default: code)",
    ).choices(WALKS))
    .option("--paste-steps <n>", "steps of the walk; the paper's takes up to twice as many (default: 100)", wholeNumber(0))
    .option("--paste-max-half-side <cells>", "largest half side of a block (default: a third of the map)", positiveNumber())
    .option("--paste-region <left,top,right,bottom>", "where blocks' centres may lie, as shares of the map (default: 0,0,1,1)", numbers(4))
    .option("--paste-count <n>", "blocks of an image (default: 1)", wholeNumber(1))
    .addOption(new Option(
      "--paste-per <what>",
      "whether each image gets blocks of its own, or a batch the same (default: image)",
    ).choices(PASTE_DRAWS))
    .option("--paste-blur-sigma <cells>", "width of the Gaussian that softens blocks (default: 0.8)", positiveNumber())
    .option("--paste-blur-radius <cells>", "how far it reaches; 0 for none (default: 1)", wholeNumber(0));
}

/** The model's options of these flags, and the other flags; what no flag says is left out. */
export function gradOptionsOf<T extends GradFlags>(flags: T): { readonly grad: GradOptions; readonly others: Omit<T, keyof GradFlags> } {
  const [grad, paste, others]: Record<string, unknown>[] = [{}, {}, {}];
  for (const [name, value] of Object.entries(flags)) {
    if (value === undefined) continue;
    if (OPTIONS.has(name)) grad![name] = value;
    else if (/^paste[A-Z]/.test(name)) paste![name[5]!.toLowerCase() + name.slice(6)] = value;
    else others![name] = value;
  }
  return { grad: { ...grad, ...(Object.keys(paste!).length > 0 && { paste }) }, others: others as Omit<T, keyof GradFlags> };
}

const OPTIONS: ReadonlySet<string> = new Set([
  "form", "decoder", "blocks", "localGrid", "globalGrid", "branches", "heads", "standardise", "fusion", "lambda", "abnormalWeight", "hingeHead", "hinge",
  "pairs", "pairCount", "hingeWeight", "hingeFloor", "residualWeight", "residualFloor", "freeze",
] satisfies (keyof GradOptions)[]);
