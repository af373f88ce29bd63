// Shapes and texts of SVG pictures that follow the reader's light or dark scheme. A picture is checked as it is made:
// texts lie inside it, do not overlap, and can be read where it is shown 400 pixels wide.
import { PALETTE, type Role, type TextRole } from "./palette.ts";
import { widthOf, type Font } from "./widths.ts";

/** A place in a picture: x to the right, y down. */
export type Point = readonly [x: number, y: number];

/** A part of a picture. */
interface Extent {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** A piece of a picture. */
export interface Mark {
  readonly markup: string;
  /** The text that it is, and where it stands. */
  readonly text?: Extent & { readonly words: string; readonly size: number };
  /** The rectangle whose outline it draws. */
  readonly outline?: Extent;
  /** The points of an arrow. */
  readonly arrow?: readonly Point[];
}

/** Pieces of a picture, the first ones below the others. */
export type Marks = Mark | readonly Marks[];

/** A picture's size and words. */
export interface Frame {
  readonly width: number;
  readonly height: number;
  /** A few words. */
  readonly title: string;
  /** Contents of the picture, for who does not see it. */
  readonly description: string;
}

/** Width at which every picture can be read, pixels. */
export const NARROW = 400;
const LEAST_SIZE = 10; // pixels, of letters at that width
const FONTS = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,'DejaVu Sans',sans-serif";
const CODE_FONTS = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace";
const [ASCENT, DESCENT] = [0.73, 0.22]; // of letters above and below their line, in sizes
const CORNER = 12; // radius of the picture's corners

/** Size of most letters. */
export const SIZE = 15;
/** Size of notes. */
export const SMALL = 14;

/** A number as short text, to a hundredth. */
export const short = (value: number): string => String(Math.round(100 * value) / 100 + 0);

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign]!);

const flat = (marks: Marks): Mark[] => (Array.isArray(marks) ? (marks as Marks[]).flatMap(flat) : [marks as Mark]);

/** Fill and outline of a shape. */
export interface Paint {
  readonly fill?: Role;
  readonly stroke?: Role;
  /** Width of the outline. Default 1.5. */
  readonly width?: number;
  readonly dashed?: boolean;
  readonly opacity?: number;
}

function paintOf({ fill, stroke, width = 1.5, dashed = false, opacity }: Paint): string {
  const classes = [fill ? `f-${fill}` : "n", ...(stroke ? [`s-${stroke}`] : [])].join(" ");
  return [
    `class="${classes}"`,
    ...(stroke ? [`stroke-width="${short(width)}"`] : []),
    ...(dashed ? [`stroke-dasharray="5 4"`] : []),
    ...(opacity === undefined ? [] : [`opacity="${short(opacity)}"`]),
  ].join(" ");
}

/** A rectangle from its upper left corner. */
export const rectangle = (
  [x, y]: Point,
  width: number,
  height: number,
  { radius = 0, ...paint }: Paint & { readonly radius?: number },
): Mark => ({
  markup: `<rect x="${short(x)}" y="${short(y)}" width="${short(width)}" height="${short(height)}"${radius ? ` rx="${short(radius)}"` : ""} ${paintOf(paint)}/>`,
  ...(paint.stroke && { outline: { left: x, top: y, right: x + width, bottom: y + height } }),
});

export const circle = ([x, y]: Point, radius: number, paint: Paint): Mark => ({
  markup: `<circle cx="${short(x)}" cy="${short(y)}" r="${short(radius)}" ${paintOf(paint)}/>`,
});

/** A shape from the data of an SVG path. */
export const path = (data: string, paint: Paint): Mark => ({ markup: `<path d="${data}" ${paintOf(paint)}/>` });

/** A line through points. */
export const line = (points: readonly Point[], paint: Paint): Mark =>
  path(points.map(([x, y], i) => `${i === 0 ? "M" : "L"}${short(x)} ${short(y)}`).join(""), paint);

/** Squares of one colour as one path: `side` pixels each, at columns and rows from an origin. */
export function squares(
  [left, top]: Point,
  side: number,
  places: readonly (readonly [column: number, row: number])[],
  paint: Paint,
): Mark {
  const runs: [column: number, row: number, count: number][] = [];
  for (const [column, row] of places) {
    const last = runs.at(-1);
    if (last && last[1] === row && last[0] + last[2] === column) last[2]++;
    else runs.push([column, row, 1]);
  }
  const data = runs.map(([column, row, count]) => {
    const [x, y] = [left + side * column, top + side * row];
    return `M${short(x)} ${short(y)}h${short(side * count)}v${short(side)}h${short(-side * count)}z`;
  });
  return path(data.join(""), paint);
}

/** The look and place of a text. */
export interface Lettering extends Partial<Font> {
  readonly role?: TextRole;
  /** The part of the text that lies at its point. Default start. */
  readonly anchor?: "start" | "middle" | "end";
  /** Runs upwards. */
  readonly upwards?: boolean;
}

/** A text whose line begins at a point. */
export function text([x, y]: Point, words: string, lettering: Lettering = {}): Mark {
  const { role = "ink", anchor = "start", upwards = false, size = SIZE, bold = false, monospace = false } = lettering;
  const width = widthOf(words, { size, bold, monospace });
  const before = { start: 0, middle: width / 2, end: width }[anchor];
  const extent = upwards
    ? { left: x - ASCENT * size, right: x + DESCENT * size, top: y + before - width, bottom: y + before }
    : { left: x - before, right: x - before + width, top: y - ASCENT * size, bottom: y + DESCENT * size };
  const classes = [`f-${role}`, ...(bold ? ["b"] : []), ...(monospace ? ["c"] : [])].join(" ");
  const attributes = [
    `x="${short(x)}" y="${short(y)}" class="${classes}" font-size="${short(size)}"`,
    ...(anchor === "start" ? [] : [`text-anchor="${anchor}"`]),
    ...(upwards ? [`transform="rotate(-90 ${short(x)} ${short(y)})"`] : []),
  ];
  return { markup: `<text ${attributes.join(" ")}>${escaped(words)}</text>`, text: { words, size, ...extent } };
}

/** Distance between the lines of a text, in its size. */
export const LEADING = 1.28;

/** Lines of text, the first at a point. */
export const lines = ([x, y]: Point, words: readonly string[], lettering: Lettering = {}): Mark[] =>
  words.map((each, i) => text([x, y + i * LEADING * (lettering.size ?? SIZE)], each, lettering));

/** Lines of text in the middle of a height. */
export function centred([x, y]: Point, words: readonly string[], lettering: Lettering = {}): Mark[] {
  const { size = SIZE } = lettering;
  const first = y - ((words.length - 1) * LEADING * size) / 2 + ((ASCENT - 0.02) * size) / 2;
  return lines([x, first], words, { anchor: "middle", ...lettering });
}

/** The look of an arrow. */
export interface ArrowLook {
  readonly role?: Role;
  readonly dashed?: boolean;
  readonly width?: number;
}

const HEAD = 8; // length of an arrow's head
const BEND = 7; // radius of its corners

/** An arrow through points, rounded at its corners. */
export function arrow(points: readonly Point[], { role = "ink", dashed = false, width = 1.5 }: ArrowLook = {}): Mark[] {
  const [from, to] = points.slice(-2) as [Point, Point];
  const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
  const [dx, dy] = [(to[0] - from[0]) / length, (to[1] - from[1]) / length];
  const base: Point = [to[0] - HEAD * dx, to[1] - HEAD * dy];
  const corner = (side: number): string => `${short(base[0] - 0.45 * side * dy)} ${short(base[1] + 0.45 * side * dx)}`;
  const shaft: readonly Point[] = [...points.slice(0, -1), [to[0] - 0.6 * HEAD * dx, to[1] - 0.6 * HEAD * dy]];
  return [
    { ...path(rounded(shaft), { stroke: role, width, dashed }), arrow: points },
    path(`M${short(to[0])} ${short(to[1])}L${corner(HEAD)}L${corner(-HEAD)}z`, { fill: role }),
  ];
}

/** The data of a path through points, rounded at its corners. */
export function rounded(points: readonly Point[]): string {
  return points
    .map((at, i) => {
      const [before, after] = [points[i - 1], points[i + 1]];
      const place = (point: Point): string => `${short(point[0])} ${short(point[1])}`;
      if (!before) return `M${place(at)}`;
      if (!after) return `L${place(at)}`;
      const towards = (other: Point): Point => {
        const length = Math.hypot(other[0] - at[0], other[1] - at[1]);
        const share = Math.min(BEND, length / 2) / length;
        return [at[0] + share * (other[0] - at[0]), at[1] + share * (other[1] - at[1])];
      };
      return `L${place(towards(before))}Q${place(at)} ${place(towards(after))}`;
    })
    .join("");
}

/**
 * The file of a picture.
 * @throws Error for a text that overlaps another, crosses a rectangle's outline, lies on an arrow, leaves the picture,
 * or cannot be read where the picture is 400 pixels wide
 */
export function picture({ width, height, title, description }: Frame, marks: Marks): string {
  const all = flat(marks);
  requireLegible(all, width, height, title);
  const ground = rectangle([0.5, 0.5], width - 1, height - 1, {
    fill: "paper",
    stroke: "hair",
    width: 1,
    radius: CORNER,
  });
  const body = [ground, ...all].map(({ markup }) => markup).join("\n");
  const head = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="title description">`;
  return `${head}\n<title id="title">${escaped(title)}</title>\n<desc id="description">${escaped(description)}</desc>\n<style>\n${styleOf(body)}\n</style>\n${body}\n</svg>\n`;
}

/** Rules for the classes in use, light ones and then dark ones. */
function styleOf(body: string): string {
  const used = new Set([...body.matchAll(/class="([^"]+)"/g)].flatMap(([, names]) => names!.split(" ")));
  const rules = (scheme: 0 | 1): string =>
    [...used]
      .filter((name) => name.includes("-"))
      .sort()
      .map((name) => {
        const colour = PALETTE[name.slice(2) as Role][scheme];
        return `.${name}{${name.startsWith("f") ? "fill" : "stroke"}:${colour}}`;
      })
      .join("");
  return [
    `text{font-family:${FONTS}}`,
    ...(used.has("c") ? [`.c{font-family:${CODE_FONTS}}`] : []),
    ...(used.has("b") ? [".b{font-weight:600}"] : []),
    ".n{fill:none}",
    rules(0),
    `@media (prefers-color-scheme:dark){${rules(1)}}`,
  ].join("\n");
}

const BORDER = 5; // between a text and the picture's border

function requireLegible(marks: readonly Mark[], width: number, height: number, title: string): void {
  const texts = marks.flatMap(({ text }) => text ?? []);
  const outlines = marks.flatMap(({ outline }) => outline ?? []);
  const refuse = (problem: string): never => {
    throw new Error(`picture "${title}": ${problem}`);
  };
  const shafts = marks.flatMap(({ arrow = [] }) => arrow.slice(1).map((to, i) => around(arrow[i]!, to)));
  const paper = { left: BORDER, top: BORDER, right: width - BORDER, bottom: height - BORDER };
  for (const [i, text] of texts.entries()) {
    const { words, left, top, size } = text;
    const place = `"${words}" at x ${short(left)}, y ${short(top)}`;
    if (!isWithin(text, paper)) refuse(`${place} leaves it`);
    const other = texts.slice(i + 1).find((other) => !isApart(text, other));
    if (other) refuse(`${place} and "${other.words}" overlap`);
    if (outlines.some((outline) => !isWithin(text, outline) && !isApart(text, outline)))
      refuse(`${place} crosses an outline`);
    if (shafts.some((shaft) => !isApart(text, shaft))) refuse(`${place} lies on an arrow`);
    const pixels = size * (NARROW / width);
    if (!(pixels >= LEAST_SIZE)) refuse(`${place} has letters of ${short(pixels)} pixels where it is ${NARROW} wide`);
  }
}

/** The rectangle around a line; an oblique one takes the room beside it too. */
const around = ([x1, y1]: Point, [x2, y2]: Point): Extent => ({
  left: Math.min(x1, x2),
  top: Math.min(y1, y2),
  right: Math.max(x1, x2),
  bottom: Math.max(y1, y2),
});

const isWithin = (inner: Extent, outer: Extent): boolean =>
  inner.left >= outer.left && inner.top >= outer.top && inner.right <= outer.right && inner.bottom <= outer.bottom;

const isApart = (a: Extent, b: Extent): boolean =>
  a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
