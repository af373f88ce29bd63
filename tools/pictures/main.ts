// npm run pictures   writes docs/pictures/*.svg
import { writeFile } from "node:fs/promises";
import { PICTURES } from "./pictures.ts";

/** @param names of the pictures to make; all by default */
export async function main(names: readonly string[]): Promise<number> {
  for (const name of names.length > 0 ? names : Object.keys(PICTURES)) {
    const make = PICTURES[name];
    if (!make) throw new Error(`there is no picture ${name}; there are ${Object.keys(PICTURES).join(", ")}`);
    await writeFile(`docs/pictures/${name}.svg`, await make());
  }
  return 0;
}
