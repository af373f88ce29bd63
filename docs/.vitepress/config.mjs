// The site: `npm run build:site`. BASE=/folder/ builds it for that folder of a host.
import { copyFileSync, mkdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitepress";
import { fromFolder, withRelativeAssets } from "./from_folder.mjs";
import { ICON } from "./icon.mjs";
import { anchorOf, repositoryLinks } from "./links.mjs";
import { addressOf, linkTo, sidebars } from "./pages.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
const base = process.env.BASE ?? "/";
if (!/^\/(.*\/)?$/.test(base)) throw new Error(`BASE must begin and end with a slash, such as /bigrid/, got ${base}`);

const files = new Set();

export default defineConfig({
  base,
  srcDir: "..",
  srcExclude: ["!(docs|README.md)/**", "CHANGELOG.md", "docs/api/**"],
  outDir: "../site",
  rewrites: addressOf,
  title: "bigrid",
  description: "Visual anomaly detection on any GPU, in pure TypeScript",
  lang: "en",
  head: [
    ["link", { rel: "icon", href: ICON }],
    ["script", {}, fromFolder],
  ],
  ignoreDeadLinks: [/^\/(playground|api)\//], // built beside; test/site finds dead ones among all
  markdown: {
    theme: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" },
    anchor: { slugify: anchorOf },
    config: (md) => void md.use(repositoryLinks, { root, base, onFile: (file) => files.add(file) }),
    languageAlias: { console: "shellsession" },
  },
  themeConfig: {
    logo: ICON,
    nav: [
      { text: "Guide", link: linkTo("docs/getting_started.md") },
      { text: "Methods", link: linkTo("docs/methods/README.md") },
      { text: "Kernels", link: linkTo("docs/kernels.md") },
      { text: "Results", link: linkTo("docs/results.md") },
      { text: "API", link: "/api/index.html", target: "_self" },
      { text: "Playground", link: "/playground/index.html", target: "_self" },
    ],
    sidebar: sidebars(),
    outline: [2, 3],
    // the button's words are its name, with the key that it shows
    search: { provider: "local", options: { translations: { button: { buttonAriaLabel: "" } } } },
  },
  transformHtml: (html, path, { siteConfig }) => {
    const page = relative(siteConfig.outDir, path);
    return page === "404.html" ? html : withRelativeAssets(html, page, base);
  },
  buildEnd({ outDir }) {
    for (const file of files) {
      const copy = join(outDir, "source", `${file}.txt`);
      mkdirSync(dirname(copy), { recursive: true });
      copyFileSync(join(root, file), copy);
    }
  },
  vite: { configFile: false, publicDir: false, build: { chunkSizeWarningLimit: 4000 } },
});
