/** A fact about a dataset that its user should know. */
export interface Finding {
  readonly kind:
    | "narrow-range"
    | "unreadable"
    | "too-small"
    | "few-good"
    | "mask-missing"
    | "mask-stray"
    | "mask-empty"
    | "mask-full"
    | "mask-size"
    | "mask-shape"
    | "mask-lossy"
    | "trained-on"
    | "one-class"
    | "mixed-modes"
    | "large-images"
    | "unused"
    | "aside"
    | "no-test"
    | "no-test-good"
    | "no-defects"
    | "like-good"
    | "named-otherwise"
    | "twins"
    | "no-photograph"
    | "undecodable"
    | "repeated"
    | "outputs";
  /** A problem makes results worse or wrong; a remark is for information. */
  readonly severity: "problem" | "remark";
  readonly message: string;
  /** The consequence, or the remedy. */
  readonly advice: string;
  /** The files concerned. */
  readonly paths: readonly string[];
}

type Severity = Finding["severity"];

/** A finding, or null if there is nothing to report. */
export const finding = (
  condition: boolean,
  severity: Severity,
  kind: Finding["kind"],
  message: string,
  advice: string,
  paths: readonly string[] = [],
): Finding | null => (condition ? { kind, severity, message, advice, paths } : null);

/** A finding about some files, worded for one or for several; null if there are none. */
export const about = (
  paths: readonly string[],
  severity: Severity,
  kind: Finding["kind"],
  [one, many]: readonly [string, string],
  advice: string,
  subject = "",
): Finding | null =>
  finding(paths.length > 0, severity, kind, `${subject}${said(paths.length, one, many)}`, advice, paths);

/** "1 mask marks", "2 masks mark": a noun and its verb. */
const said = (count: number, one: string, many: string): string => `${count} ${count === 1 ? one : many}`;
