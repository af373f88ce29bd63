import { createHash } from "node:crypto";
import { basename, extname } from "node:path";

const STEM = 40; // characters, of 4 bytes at most

/** A name that fits everywhere, and is no other path's. */
export function shortStem(path: string): string {
  const digest = createHash("sha256").update(path).digest("hex").slice(0, 16);
  return `${[...basename(path, extname(path))].slice(0, STEM).join("")}~${digest}`;
}
