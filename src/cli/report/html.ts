import { createHash } from "node:crypto";
import { printable } from "../../io/printable.ts";

/** Text that can stand anywhere in a document, attributes in quotes included, and in which nothing is hidden. */
export function escapedText(text: string): string {
  return printable(text).replace(/[<>&"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** A picture's file as an address that can stand in a document. */
export const dataUrl = (type: "png" | "jpeg", bytes: Uint8Array): string =>
  `data:image/${type};base64,${Buffer.from(bytes).toString("base64")}`;

/** Allows the given scripts by their hashes, styles and data: images, and nothing else. */
export function contentPolicy(scripts: readonly string[]): string {
  const hashes = scripts.map((script) => `'sha256-${createHash("sha256").update(script, "utf8").digest("base64")}'`);
  return [
    "default-src 'none'",
    "img-src data:",
    "style-src 'unsafe-inline'",
    `script-src ${hashes.join(" ")}`,
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
}

/** A browser turns CRLF into LF before it hashes a script; a checkout with CRLF must not break the policy. */
export function unixLines(text: string): string {
  return text.replaceAll("\r\n", "\n");
}
