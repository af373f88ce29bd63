import { expect, test } from "vitest";
import { cocoOf, csvLine } from "../../src/cli/predict/results.ts";
import type { Result } from "../../src/node/inspection/result.ts";
import { parseCsv } from "../../src/data/layouts/csv.ts";

const inspected = (image: string): Result => ({
  image,
  score: -1.5,
  calibrated: 0.25,
  verdict: "good",
  peak: 2,
  width: 4,
  height: 3,
  defects: [],
  pictures: {},
});
const cellsOf = (image: string): readonly string[] => {
  const { records } = parseCsv(
    `image,verdict,calibrated,score,rest,a,b,c,d,e,f,g,reason\n${csvLine(inspected(image))}`,
  );
  expect(records).toHaveLength(1);
  return Object.values(records[0]!);
};
/** Reads a cell back as docs/predict.md describes. */
const readBack = (cell: string): string =>
  /^'[\s\p{Cc}\p{Cf}'"‘’“”]*[=+\-@＝＋－＠]|^'[\t\r\n]/u.test(cell) ? cell.slice(1) : cell;

test.each([
  "=1+1",
  "+1",
  "-1.png",
  "@SUM(A1)",
  "\t=1",
  "\tname",
  "\r=1",
  " =1",
  '"=1',
  "'=1",
  "''=1",
  "' =1",
  "\u00a0=1",
  "\u200b=1",
  "\ufeff=1",
  "＝1",
  "＋1",
  "－1",
  "＠1",
  " \n=1",
  "\u201c=1",
])("a name that a spreadsheet could compute, %j, has an apostrophe before it, and is read back exactly", (image) => {
  const [cell] = cellsOf(image);
  expect(cell).toBe(`'${image}`);
  expect(readBack(cell!)).toBe(image);
});

test.each(["photos/a=b.png", "a-1.png", "'quoted'.png", "x@y", "1e5", "__proto__", 'say "x"', "a;=1", "a\r=1", "a\tb"])(
  "a name that is no formula, %j, stays as it is",
  (image) => {
    const [cell] = cellsOf(image);
    expect(cell).toBe(image);
    expect(readBack(cell!)).toBe(image);
  },
);

test("no name begins a cell or a line of its own, whatever a spreadsheet separates cells by", () => {
  for (const image of ["a;=1", "a\r=1", "a\n=1", "a\t=1", "a,=1"])
    expect(csvLine(inspected(image))).toMatch(/^"a[^"]*=1",good/);
});

test("numbers of ours stay numbers, reasons and names of pictures do not compute either", () => {
  expect(csvLine(inspected("a"))).toBe("a,good,0.25,-1.5,2,4,3,0,0,,,,,\n");
  expect(csvLine({ image: "=a", verdict: "unreadable", reason: "=b" })).toMatch(/^'=a,unreadable,.*,'=b\n$/);
  expect(csvLine({ ...inspected("a"), pictures: { heatMap: "-a.png" } } as Result)).toContain(",'-a.png,");
});

test("COCO tells absolute paths from the folder that they have in common, and others as they were named", async () => {
  const namesOf = async (images: readonly string[]): Promise<string[]> => {
    const results = async function* () {
      for (const image of images) yield inspected(image);
    };
    let text = "";
    for await (const part of cocoOf(results)) text += part;
    return (JSON.parse(text) as { images: { file_name: string }[] }).images.map(({ file_name }) => file_name);
  };
  expect(await namesOf(["/home/me/set/a/1.png", "/home/me/set/b/2.png", "rel/3.png"])).toEqual([
    "a/1.png",
    "b/2.png",
    "rel/3.png",
  ]);
  expect(await namesOf(["/home/me/1.png"])).toEqual(["1.png"]);
  expect(await namesOf(["photos/1.png", "../2.png"])).toEqual(["photos/1.png", "../2.png"]);
});
