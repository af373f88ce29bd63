// Widths of texts, so that a picture can be laid out without a browser: those of DejaVu Sans, which is wider than the
// fonts that systems have beside it. What fits in it fits in them.

// advance widths of the characters from space to ~, in hundredths of the font's size
const REGULAR = [
  32, 41, 46, 84, 64, 96, 78, 28, 40, 40, 50, 84, 32, 37, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 34, 34, 84,
  84, 84, 54, 100, 69, 69, 70, 78, 64, 58, 78, 76, 30, 30, 66, 56, 87, 75, 79, 61, 79, 70, 64, 62, 74, 69, 99, 69, 62,
  69, 40, 34, 40, 84, 50, 50, 62, 64, 55, 64, 62, 36, 64, 64, 28, 28, 58, 28, 98, 64, 62, 64, 64, 42, 53, 40, 64, 60,
  82, 60, 60, 53, 64, 34, 64, 84,
];
const BOLD = [
  35, 46, 53, 84, 70, 101, 88, 31, 46, 46, 53, 84, 38, 42, 38, 37, 70, 70, 70, 70, 70, 70, 70, 70, 70, 70, 40, 40, 84,
  84, 84, 59, 100, 78, 77, 74, 84, 69, 69, 83, 84, 38, 38, 78, 64, 100, 84, 86, 74, 86, 78, 73, 69, 82, 78, 111, 78, 73,
  73, 46, 37, 46, 84, 50, 50, 68, 72, 60, 72, 68, 44, 72, 72, 35, 35, 67, 35, 105, 72, 69, 72, 72, 50, 60, 48, 72, 66,
  93, 65, 66, 59, 72, 37, 72, 84,
];
const OTHERS: Readonly<Record<string, number>> = {
  "×": 84,
  "·": 38,
  "−": 84,
  "√": 67,
  "¼": 104,
  "²": 44,
  "′": 27,
  σ: 78,
  ε: 56,
  "→": 84,
  "±": 84,
  "≥": 84,
};
const MONOSPACE = 61;
const FIRST = 32; // the code of the space

/** A font's kind. */
export interface Font {
  /** In the picture's units. */
  readonly size: number;
  readonly bold?: boolean;
  readonly monospace?: boolean;
}

/** Largest width of a text in the fonts that systems have. */
export function widthOf(text: string, { size, bold = false, monospace = false }: Font): number {
  const widths = bold ? BOLD : REGULAR;
  const hundredths = [...text].map((character) => {
    const width = widths[character.charCodeAt(0) - FIRST] ?? OTHERS[character];
    if (width === undefined) throw new Error(`the width of ${character} is not known: add it to OTHERS`);
    return monospace ? MONOSPACE : width;
  });
  return (size / 100) * hundredths.reduce((sum, width) => sum + width, 0);
}
