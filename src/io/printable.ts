// Characters that do something, or are not seen, instead of being a sign: controls, format characters such as marks of
// direction, line and paragraph separators, halves of pairs, and all that is ignored where it is shown. Not those that
// choose how an emoji looks.
export const UNSEEN =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}](?<!\p{Emoji}[\ufe0e\ufe0f])(?<!\p{Emoji}\ufe0f?\u200d(?=\p{Extended_Pictographic}))/gu;

/**
 * A text in one line that does nothing to a terminal, and in which nothing is hidden: names of files may hold line
 * ends, escapes and characters that turn the order of others round. Of JSON it makes the same JSON.
 */
export const printable = (text: string): string =>
  text.replace(UNSEEN, (character) => (character === "\n" ? "\\n" : escapesOf(character)));

/** The same of each line of a text of several. */
export const printableLines = (text: string): string => text.split("\n").map(printable).join("\n");

/** Escapes of a character's one or two halves, as JSON writes them. */
const escapesOf = (character: string): string =>
  Array.from(
    { length: character.length },
    (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`,
  ).join("");

/** A name that a file holds, printable and of a bounded length: its beginning and its end, where it is too long. */
export function nameShown(name: string, most = 80): string {
  const text = printable(name);
  if (text.length <= most) return text;
  const tail = most >> 2;
  return printable(`${text.slice(0, most - tail - 3)}...${text.slice(-tail)}`); // a pair may have been cut
}

const MOST_NAMED = 10;

/** Some of the names that a file holds, for a sentence. */
export const namesShown = (names: readonly string[]): string =>
  [
    ...names.slice(0, MOST_NAMED).map((name) => nameShown(name)),
    ...(names.length > MOST_NAMED ? [`${names.length - MOST_NAMED} more`] : []),
  ].join(", ");
