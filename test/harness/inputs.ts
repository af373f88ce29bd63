import type { InputImage } from "../../src/detection/inspection.ts";
import type { PictureRegion } from "../../src/detection/region.ts";
import type { DecodedImage } from "../../src/io/image.ts";

/** Images as a detector takes them, each with its region if there is one. */
export const inputsOf = (
  images: readonly DecodedImage[],
  regions: readonly (PictureRegion | null)[] = [],
): InputImage[] => images.map((image, i) => ({ image, region: regions[i] ?? null }));
