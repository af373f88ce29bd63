import type { Command } from "commander";
import { Region } from "../../detection/region.ts";
import { hashFile } from "../../node/files/hash.ts";
import { decodeMask } from "../../node/images.ts";
import type { Rectangle } from "../../io/placement.ts";
import { say } from "../terminal/say.ts";

/** Flags for the part of each picture that counts. */
export interface RegionFlags {
  readonly roi?: string | undefined;
  readonly ignore?: string | undefined;
}

export function addRegionFlags(command: Command): Command {
  return command
    .option(
      "--roi <region>",
      "region of interest: x,y,width,height in pixels, or a mask file stretched over each image; use the same in train, eval and predict",
    )
    .option("--ignore <mask>", "mask file of what to ignore");
}

/** The flags as they were given, for a command that needs the same; with a space before. */
export const regionWords = ({ roi, ignore }: RegionFlags): string =>
  [
    ["roi", roi],
    ["ignore", ignore],
  ]
    .map(([flag, value]) => (value === undefined ? "" : ` --${flag} ${value}`))
    .join("");

/** Says so if a model learned from whole images and is to inspect parts, or the other way round. */
export function remarkOnRegion(run: string, trainedWithRegions: boolean, region: Region | null): void {
  if (trainedWithRegions === (region !== null)) return;
  say(
    trainedWithRegions
      ? `${run} was trained with --roi or --ignore; without the same here, good images may be called defective`
      : `${run} was trained on whole images; with --roi or --ignore good ones may be called defective: train with the same`,
  );
}

/** Identifies the region of flags: a rectangle by its numbers, a mask by its SHA-256; null where all counts. */
export async function hashRegion({ roi, ignore }: RegionFlags): Promise<{ roi: string | null; ignore: string | null }> {
  const isRectangle = roi !== undefined && rectangleOf(roi) !== null;
  return {
    roi: roi === undefined ? null : isRectangle ? roi : await hashFile(roi),
    ignore: ignore === undefined ? null : await hashFile(ignore),
  };
}

/**
 * Reads the region that flags give.
 * @returns null if everything counts
 * @throws InputError if a mask cannot be read
 */
export async function readRegion({ roi, ignore }: RegionFlags): Promise<Region | null> {
  if (roi === undefined && ignore === undefined) return null;
  const interest = roi === undefined ? null : (rectangleOf(roi) ?? (await decodeMask(roi)));
  return new Region(interest, ignore === undefined ? null : await decodeMask(ignore));
}

/** "x,y,width,height"; null for other text. */
export function rectangleOf(text: string): Rectangle | null {
  const found = /^(\d{1,9}),(\d{1,9}),(\d{1,9}),(\d{1,9})$/.exec(text);
  if (!found) return null;
  const [left, top, width, height] = found.slice(1).map(Number) as [number, number, number, number];
  return { left, top, width, height };
}
