import { folded } from "./tree.ts";

// Words by which folders and lists tell what their images show. They are compared without case and separators.

const GOOD: ReadonlySet<string> = new Set([
  "good",
  "ok",
  "okay",
  "normal",
  "defectfree",
  "faultfree",
  "anomalyfree",
  "nodefect",
  "nodefects",
  "noanomaly",
  "noanomalies",
  "nondefective",
  "nonanomalous",
  "flawless",
]);

const DEFECTIVE: ReadonlySet<string> = new Set([
  "bad",
  "ko",
  "ng",
  "nok",
  "nio",
  "notok",
  "notgood",
  "nogood",
  "notnormal",
  "abnormal",
  "anomaly",
  "anomalies",
  "anomalous",
  "defect",
  "defects",
  "defective",
  "broken",
  "faulty",
  "reject",
  "rejects",
  "rejected",
  "fail",
  "failed",
]);

// Words that may mean good but also name defects or other things.
const LIKE_GOOD: ReadonlySet<string> = new Set([
  "pass",
  "passed",
  "passing",
  "io",
  "fine",
  "free",
  "clean",
  "healthy",
  "intact",
  "negative",
  "negatives",
  "neg",
  "correct",
  "perfect",
  "regular",
  "standard",
  "reference",
  "golden",
  "accept",
  "accepted",
  "acceptable",
  "valid",
  "nominal",
  "undamaged",
  "sound",
  "goods",
  "normals",
  "0",
  "00",
  "gut",
  "gutteil",
  "gutteile",
  "inordnung",
  "bon",
  "bueno",
  "buono",
  "\u6b63\u5e38",
  "\u826f\u54c1",
  "\u5408\u683c",
  "\uc815\uc0c1",
]);
const NEGATIONS: ReadonlySet<string> = new Set(["no", "not", "non", "un", "n", "nicht", "false", "in"]);

/** A word normalised for comparison: without case, width and separators. */
export const squeezed = (name: string): string => folded(name.normalize("NFKC")).replace(/[\s._-]+/gu, "");

// What folders hold beside what their names tell apart: "good_images", "NODefect_images", "Mask pics".
const FILES = /(?<=.)(?:images?|imgs?|pictures?|pics?|photos?|samples?)$/u;

/** The forms of a name that are looked up: as it is, and without a last word for images. */
export const formsOf = (name: string): readonly string[] => {
  const form = squeezed(name);
  return [form, form.replace(FILES, "")];
};

/** True if a word means good. */
export const isGoodName = (name: string): boolean => formsOf(name).some((form) => GOOD.has(form));

/** True if a word means defective and nothing else. */
export const isDefectiveName = (name: string): boolean => formsOf(name).some((form) => DEFECTIVE.has(form));

/** True if a word that is not read as good may mean it: "pass", "good_2", "MT_Free", "0"; not "not_good". */
export function soundsGood(name: string): boolean {
  if (isGoodName(name) || isDefectiveName(name)) return false;
  if (LIKE_GOOD.has(squeezed(name))) return true;
  const words = folded(name.replace(/(\p{Ll})(\p{Lu})/gu, "$1 $2"))
    .split(/[^\p{L}\p{N}]+/u)
    .map((word) => word.replace(/(?<=\p{L})\d+$/u, ""));
  if (words.some((word) => NEGATIONS.has(word) || DEFECTIVE.has(word))) return false;
  return words.some((word) => GOOD.has(word) || (LIKE_GOOD.has(word) && !/^\d/.test(word)));
}

/**
 * Meaning of a list's label: false for good, true for defective, null for neither. Accepts 0, 1 and words, as strings
 * or numbers.
 */
export function isDefectiveLabel(label: unknown): boolean | null {
  if (label === 0 || label === "0") return false;
  if (label === 1 || label === "1") return true;
  if (typeof label !== "string") return null;
  return isGoodName(label) ? false : isDefectiveName(label) ? true : null;
}
