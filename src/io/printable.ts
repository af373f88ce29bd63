// Characters that act or stay invisible instead of showing a glyph: controls, format characters such as direction
// marks, line and paragraph separators, lone surrogates, and default-ignorable characters. Not the variation selectors
// of emoji.
export const UNSEEN =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}](?<!\p{Emoji}[\ufe0e\ufe0f])(?<!\p{Emoji}\ufe0f?\u200d(?=\p{Extended_Pictographic}))/gu;

/**
 * Makes a text safe to print on one terminal line, with nothing hidden: file names may contain line ends, escapes and
 * characters that reorder others. JSON stays equivalent JSON.
 */
export const printable = (text: string): string =>
  text.replace(UNSEEN, (character) => (character === "\n" ? "\\n" : escapesOf(character)));

/** Applies `printable` to each line of a text. */
export const printableLines = (text: string): string => text.split("\n").map(printable).join("\n");

/** JSON escapes of a character's one or two UTF-16 code units. */
const escapesOf = (character: string): string =>
  Array.from(
    { length: character.length },
    (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`,
  ).join("");

/** An untrusted name, printable and of bounded length: if it is too long, its beginning and its end. */
export function nameShown(name: string, most = 80): string {
  const text = printable(name);
  if (text.length <= most) return text;
  const tail = most >> 2;
  return printable(`${text.slice(0, most - tail - 3)}...${text.slice(-tail)}`); // may have cut a surrogate pair
}

const MOST_NAMED = 10;

/** Some of a file's names, for an error message. */
export const namesShown = (names: readonly string[]): string =>
  [
    ...names.slice(0, MOST_NAMED).map((name) => nameShown(name)),
    ...(names.length > MOST_NAMED ? [`${names.length - MOST_NAMED} more`] : []),
  ].join(", ");
