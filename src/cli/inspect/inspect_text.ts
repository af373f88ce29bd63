import type { Dataset } from "../../data/dataset.ts";
import type { ClassSurvey, Finding, Survey } from "../../data/survey.ts";
import type { Size } from "../../io/placement.ts";
import type { Method } from "../../methods/method.ts";
import { nameShown, printable } from "../../io/printable.ts";

const MOST_PATHS = 3;

/** The text that `inspect` prints: how the dataset was read, its contents, and what looks wrong. */
export function inspectText(root: string, dataset: Dataset, survey: Survey): string {
  const { layout, alternative, classes } = dataset;
  const several = classes.length > 1;
  const lines = [
    `${root}: ${layout.title} (--format ${layout.format}), ${several ? `${classes.length} classes` : `one class, "${nameShown(classes[0]!.name)}"`}`,
    "",
    "Read as",
    ...layout.rule.split("; ").map((part) => `  ${part}`),
    ...(alternative === null ? [] : [`  its folders could also be read by themselves: --format ${alternative}`]),
    "",
    ...table(survey.classes),
    ...survey.classes.flatMap((found) => [
      "",
      ...(several ? [nameShown(found.name)] : ["Images"]),
      ...detailsOf(found).map(([name, value]) => `  ${name.padEnd(8)} ${value}`),
    ]),
  ];
  const [problems, remarks] = [findingsOf(survey, "problem"), findingsOf(survey, "remark")];
  lines.push(
    "",
    problems.length === 0 ? "Nothing looks wrong." : "What looks wrong",
    ...problems.flatMap(findingLines),
  );
  if (remarks.length > 0) lines.push("", "Good to know", ...remarks.flatMap(findingLines));
  return lines.map(printable).join("\n");
}

/** The methods to choose from, and what each suits: a line each. */
export function methodsText(methods: readonly Pick<Method, "name" | "suits">[]): string {
  const width = Math.max(...methods.map(({ name }) => name.length));
  const lines = methods.map(({ name, suits }) => `  ${name.padEnd(width)}  ${suits}`);
  return ["Methods (--method), and what they suit", ...lines].join("\n");
}

export const findingsOf = ({ findings }: Survey, severity: Finding["severity"]): readonly Finding[] =>
  findings.filter((finding) => finding.severity === severity);

/** The columns of the table of classes. */
export const COLUMNS = ["learn from", "test good", "test defective", "masks"] as const;

export const countsOf = ({ train, testGood, testDefective, masks }: Omit<ClassSurvey, "name">): readonly number[] => [
  train,
  testGood,
  testDefective,
  masks,
];

/** All classes together, if there are several. */
export function totalOf(classes: readonly ClassSurvey[]): readonly number[] | null {
  return classes.length < 2
    ? null
    : COLUMNS.map((_, i) => classes.reduce((sum, found) => sum + countsOf(found)[i]!, 0));
}

function table(classes: readonly ClassSurvey[]): string[] {
  const width = Math.max("Class".length, ...classes.map(({ name }) => nameShown(name).length));
  const row = (name: string, counts: readonly (number | string)[]): string =>
    nameShown(name).padEnd(width) + counts.map((count, i) => String(count).padStart(COLUMNS[i]!.length + 3)).join("");
  const total = totalOf(classes);
  return [
    row("Class", COLUMNS),
    ...classes.map((found) => row(found.name, countsOf(found))),
    ...(total ? [row("all", total)] : []),
  ];
}

/** Notable facts about the images of a class, by name. */
export function detailsOf({
  defects,
  sizes,
  formats,
  modes,
  train,
  testGood,
  testDefective,
}: ClassSurvey): [name: string, value: string][] {
  const counted = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .map(([name, count]) => `${nameShown(name)} ${count}`)
      .join(", ");
  const details: [string, string][] = testDefective > 0 ? [["defects", counted(defects)]] : [];
  if (sizes === null) return details;
  const { smallest, largest, commonest, distinct } = sizes;
  const all = train + testGood + testDefective;
  const size =
    distinct === 1
      ? `all ${sizeText(largest)} pixels`
      : `${sizeText(smallest)} to ${sizeText(largest)} pixels, most often ${sizeText(commonest)} (${commonest.count} of ${all})`;
  return [...details, ["size", size], ["files", counted(formats)], ["colours", counted(modes)]];
}

const sizeText = ({ width, height }: Size): string => `${width}x${height}`;

/** A finding's advice, with the flag that follows it. */
export const adviceOf = ({ kind, advice }: Pick<Finding, "kind" | "advice">): string =>
  kind === "large-images" ? `${advice} (train --tile 448)` : advice;

function findingLines({ kind, message, advice, paths }: Finding): string[] {
  const more = paths.length - MOST_PATHS;
  const shown = more > 1 ? [...paths.slice(0, MOST_PATHS), `and ${more} more (--json lists them all)`] : paths;
  return [`  - ${message}`, `    ${adviceOf({ kind, advice })}`, ...shown.map((path) => `      ${path}`)];
}
