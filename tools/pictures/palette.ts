// Colours of the pictures. Each has a value for light surroundings and one for dark ones.

/** Colours by use: [light, dark]. */
export const PALETTE = {
  /** The ground of a picture. */
  paper: ["#ffffff", "#14181f"],
  /** Texts and arrows. */
  ink: ["#1c2430", "#e8edf3"],
  /** Texts of less weight. */
  quiet: ["#55606e", "#a6b1be"],
  /** Outlines. */
  line: ["#8491a0", "#72808f"],
  /** Lines of a plot's grid, and shapes without weight. */
  hair: ["#dfe5ec", "#2d3643"],
  /** Feature maps. */
  map: ["#eff4fa", "#1f2733"],
  /** Learned numbers. */
  learned: ["#fff3df", "#33291a"],
  learnedLine: ["#9a5400", "#e5a659"],
  blue: ["#0a5bb5", "#7ab8ff"],
  blueSoft: ["#d5e6fb", "#1c3450"],
  green: ["#14702f", "#63d283"],
  greenSoft: ["#d3f0da", "#153a22"],
  red: ["#bb2323", "#ff8b82"],
  redSoft: ["#fbdcda", "#4a1f1f"],
  purple: ["#7437ad", "#cda4ff"],
  purpleSoft: ["#ebdffa", "#37254d"],
  // Photographs look alike in both schemes.
  steel: ["#9ba4ae", "#9ba4ae"],
  gleam: ["#eef1f4", "#eef1f4"],
  shade: ["#6f7882", "#6f7882"],
  bore: ["#2a2e35", "#2a2e35"],
  heat: ["#e0381f", "#e0381f"],
} as const;

/** A colour's use. */
export type Role = keyof typeof PALETTE;

/** Colours of texts. */
export const TEXT_ROLES = ["ink", "quiet", "learnedLine", "blue", "green", "red", "purple"] as const;
/** A text's colour. */
export type TextRole = (typeof TEXT_ROLES)[number];

/** Grounds, with the colours of texts that may stand on them. */
export const GROUNDS: Readonly<Partial<Record<Role, readonly TextRole[]>>> = {
  paper: TEXT_ROLES,
  map: TEXT_ROLES,
  learned: ["ink", "quiet", "learnedLine"],
  blueSoft: ["ink", "quiet", "blue"],
  greenSoft: ["ink", "quiet", "green"],
  redSoft: ["ink", "red"],
  purpleSoft: ["ink", "purple"],
};

/** Contrast of two colours as WCAG 2 defines it, from 1 to 21. */
export function contrastOf(a: string, b: string): number {
  const [light, dark] = [luminanceOf(a), luminanceOf(b)].sort((x, y) => y - x) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

/** Relative luminance of `#rrggbb`. */
function luminanceOf(colour: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const level = parseInt(colour.slice(at, at + 2), 16) / 255;
    return level <= 0.04045 ? level / 12.92 : ((level + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
