// node tools/site/build_site.mjs [DIR]   the whole site, in site/ or DIR: the pages of docs, the playground with the
// kernel explorer, and the reference of the library. BASE=/folder/ builds it for that folder of a host.
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build as buildPlayground } from "vite";
import { build as buildPages } from "vitepress";
import { buildReference } from "./reference.mjs";

const at = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** Builds the site into a folder, which is emptied first. */
export async function buildSite(outDir) {
  await buildPages(at("docs"), { outDir });
  await buildPlayground({
    configFile: at("vite.site.config.ts"),
    logLevel: "warn",
    build: { outDir: resolve(outDir, "playground") },
  });
  await buildReference(resolve(outDir, "api"));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildSite(resolve(process.argv[2] ?? at("site")));
