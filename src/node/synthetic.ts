import { dirname, join } from "node:path";
import { synthesise, type SyntheticOptions } from "../data/synthetic.ts";
import { ensureFolder, writeFileAtomic } from "./files/files.ts";
import { encodePng } from "./images.ts";

/** Options of writing a synthetic set. */
export interface SyntheticSetOptions extends SyntheticOptions {
  /** Called when one more picture is made. */
  readonly onPicture?: () => void;
}

/**
 * Writes a synthetic inspection set in MVTec's layout, a folder for each class.
 */
export async function writeSyntheticSet(folder: string, { onPicture, ...options }: SyntheticSetOptions): Promise<void> {
  const { size } = options;
  const write = async (path: string, pixels: Uint8Array): Promise<void> => {
    await ensureFolder(dirname(join(folder, path)));
    await writeFileAtomic(join(folder, path), await encodePng(pixels, size, size));
  };
  for (const { name: className, train, test } of synthesise(options, onPicture)) {
    for (const { name, rgba } of train) await write(`${className}/train/good/${name}.png`, rgba);
    for (const { name, defect, rgba, mask } of test) {
      await write(`${className}/test/${defect}/${name}.png`, rgba);
      if (mask)
        await write(
          `${className}/ground_truth/${defect}/${name}_mask.png`,
          mask.map((marked) => 255 * marked),
        );
    }
  }
}
