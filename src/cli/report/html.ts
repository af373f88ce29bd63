import { printable } from "../../io/printable.ts";

/** Text that can stand anywhere in a document, attributes in quotes included, and in which nothing is hidden. */
export function escapedText(text: string): string {
  return printable(text).replace(/[<>&"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** A picture's file as an address that can stand in a document. */
export const dataUrl = (type: "png" | "jpeg", bytes: Uint8Array): string =>
  `data:image/${type};base64,${Buffer.from(bytes).toString("base64")}`;
