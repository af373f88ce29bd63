import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";
import { withNotice } from "./docs/.vitepress/from_folder.mjs";
import { wgsl } from "./tools/build/vite_wgsl.mjs";

const fileOf = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const pageOf = (name: string): string => fileOf(`examples/playground/${name}.html`);

/**
 * Loosens the pages' content security policy for the development server, which puts style sheets into a page, and talks
 * to it by a socket.
 */
const developmentPolicy: Plugin = {
  name: "development-policy",
  apply: "serve",
  transformIndexHtml: (html, { server }) =>
    server
      ? html
          .replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
          .replace("connect-src 'self'", "connect-src 'self' ws:")
      : html,
};

const CHECKS = { bundlerTimings: false }; // no remarks about the time that the wgsl plugin takes

/** Leads from the built pages to the site around them, which the development server does not have. */
const wayToSite: Plugin = {
  name: "way-to-site",
  apply: "build",
  transformIndexHtml: (html) =>
    html.replace('<nav aria-label="Pages">', '$&<a href="../getting_started.html">Guide</a>'),
};

/** Says what is missing where the built pages are opened from a folder. */
const fromFolder: Plugin = {
  name: "from-folder",
  apply: "build",
  transformIndexHtml: { order: "post", handler: withNotice },
};

// The playground and the kernel explorer: `npm run dev` serves them, `npm run build:site` builds them into the site.
export default defineConfig({
  root: "examples/playground",
  base: "./",
  plugins: [wgsl({ minify: true }), developmentPolicy, wayToSite, fromFolder],
  server: { host: "127.0.0.1" },
  // The explorer runs the tests' operations, whose device is the browser's there.
  resolve: { alias: [{ find: /^.*\/src\/node\/device\.ts$/, replacement: fileOf("src/browser/device.ts") }] },
  worker: { format: "es", plugins: () => [wgsl({ minify: true })], rolldownOptions: { checks: CHECKS } },
  build: {
    target: "es2022",
    outDir: "../../site/playground",
    emptyOutDir: true,
    rolldownOptions: { checks: CHECKS, input: ["index", "kernels"].map(pageOf) },
  },
});
