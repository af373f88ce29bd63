import { imagesFor, supportedRate } from "../../detection/upper_bound.ts";
import { percentOf } from "../terminal/say.ts";

/**
 * Says of which classes there are too few images for the false-reject rate that was asked for, and which one they get.
 * @param counts images of each class that set its threshold
 * @param kind what the images must be, for the end of the sentence
 */
export function rateRemarks(counts: ReadonlyMap<string, number>, falseReject: number, kind: string): string[] {
  return [...counts]
    .filter(([, count]) => supportedRate(count) > falseReject)
    .map(([name, count]) => {
      const images = count === 1 ? "1 image of it sets" : `${count} images of it set`;
      const needed = `${percentOf(falseReject)} takes ${imagesFor(falseReject)}`;
      return `class ${name}: ${images} its threshold, which supports a false-reject rate of ${percentOf(supportedRate(count))}; ${needed}, ${kind}`;
    });
}
