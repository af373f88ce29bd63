// A choice is made over several datasets, and reported on one that had no part in it.
import type { Result } from "./results.ts";

/** The figures by which choices are compared: larger is better. */
export const FIGURES = ["imageAuroc", "peakAuroc", "imageAp", "pixelAuroc", "pixelAp", "pixelAupro"] as const;
export type Figure = (typeof FIGURES)[number];

/** Means over seeds of a choice on a dataset; null where undefined. */
export type Figures = Readonly<Record<Figure, number | null>>;

/** Figures by choice, by dataset. */
export type Scoreboard = ReadonlyMap<string, ReadonlyMap<string, Figures>>;

/** Means over seeds of the results with one backbone. */
export function scoreboardOf(results: readonly Result[], backbone: string): Scoreboard {
  const board = new Map<string, Map<string, Figures>>();
  const own = results.filter((result) => result.backbone === backbone);
  for (const { dataset, choice } of own) {
    const runs = own.filter((result) => result.dataset === dataset && result.choice === choice);
    const figures = Object.fromEntries(
      FIGURES.map((figure) => [figure, meanOf(runs.map((run) => figureOf(run, figure)))]),
    );
    board.set(dataset, (board.get(dataset) ?? new Map<string, Figures>()).set(choice, figures as Figures));
  }
  return board;
}

const figureOf = ({ metrics, peakAuroc }: Result, figure: Figure): number | null =>
  figure === "peakAuroc" ? peakAuroc : metrics[figure];

/** The choices that every dataset has, in the order of the first. */
export function commonChoices(board: Scoreboard): string[] {
  const [first, ...others] = board.values();
  return [...(first?.keys() ?? [])].filter((choice) => others.every((dataset) => dataset.has(choice)));
}

/** The mean over datasets of a choice's figures. */
export function meanFigures(board: Scoreboard, choice: string): Figures {
  const all = [...board.values()].map((dataset) => dataset.get(choice)!);
  return Object.fromEntries(
    FIGURES.map((figure) => [figure, meanOf(all.map((figures) => figures[figure]))]),
  ) as unknown as Figures;
}

/**
 * The mean rank of each choice, over datasets and figures: 1 is the best. Choices that are equal share the mean of
 * their places.
 */
export function meanRanks(board: Scoreboard, choices: readonly string[]): ReadonlyMap<string, number> {
  const ranks = new Map<string, number[]>(choices.map((choice) => [choice, []]));
  for (const dataset of board.values()) {
    for (const figure of FIGURES) {
      const values = choices.map((choice) => dataset.get(choice)![figure]);
      if (values.includes(null)) continue; // the dataset has no masks, say
      choices.forEach((choice, i) => {
        const better = values.filter((value) => value! > values[i]!).length;
        const equal = values.filter((value) => value === values[i]).length;
        ranks.get(choice)!.push(better + (equal + 1) / 2);
      });
    }
  }
  return new Map([...ranks].map(([choice, places]) => [choice, meanOf(places) ?? NaN]));
}

/** A choice made without one dataset, and its figures on that one. */
export interface LeftOut {
  /** The dataset that had no part in the choice. */
  readonly dataset: string;
  /** The choice with the best mean rank on the others. */
  readonly choice: string;
  /** Its figures on the dataset. */
  readonly figures: Figures;
}

/**
 * Chooses on all datasets but one, by mean rank, and reports on the one, for each in turn.
 * @param choices those that may be chosen; of equal ones the first is
 */
export function leaveOneOut(board: Scoreboard, choices: readonly string[]): LeftOut[] {
  if (board.size < 2 || choices.length === 0) return [];
  return [...board].map(([dataset, figures]) => {
    const ranks = meanRanks(new Map([...board].filter(([name]) => name !== dataset)), choices);
    const choice = [...choices].sort((a, b) => ranks.get(a)! - ranks.get(b)!)[0]!;
    return { dataset, choice, figures: figures.get(choice)! };
  });
}

function meanOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
}

const TITLES: Readonly<Record<Figure, string>> = {
  imageAuroc: "image AUROC",
  peakAuroc: "by peak",
  imageAp: "image AP",
  pixelAuroc: "pixel AUROC",
  pixelAp: "pixel AP",
  pixelAupro: "AUPRO",
};

/** Tables in Markdown, one for each backbone: means over datasets, ranks, and what leaving each dataset out gives. */
export function protocolTables(results: readonly Result[]): string {
  const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const cellsOf = (figures: Figures): string[] =>
    FIGURES.map((figure) => (figures[figure] === null ? "-" : (100 * figures[figure]).toFixed(1)));
  return [...new Set(results.map(({ backbone }) => backbone))]
    .flatMap((backbone) => {
      const board = scoreboardOf(results, backbone);
      const choices = commonChoices(board);
      if (board.size < 2 || choices.length === 0) return [];
      const ranks = meanRanks(board, choices);
      const header = ["", ...FIGURES.map((figure) => TITLES[figure])];
      const rule = (cells: readonly string[]): string => row(cells.map(() => "---"));
      const means = choices.map((choice) =>
        row([choice, ...cellsOf(meanFigures(board, choice)), ranks.get(choice)!.toFixed(2)]),
      );
      const left = leaveOneOut(board, choices).map(({ dataset, choice, figures }) =>
        row([dataset, choice, ...cellsOf(figures)]),
      );
      const [ranked, chosen] = [
        [...header, "mean rank"],
        ["left out", "chosen on the others", ...header.slice(1)],
      ];
      return [
        `**Mean of ${[...board.keys()].join(", ")}**, ${backbone}.`,
        [row(ranked), rule(ranked), ...means].join("\n"),
        [row(chosen), rule(chosen), ...left].join("\n"),
      ];
    })
    .join("\n\n");
}
