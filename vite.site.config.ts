import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";
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

// The playground: `npm run dev` serves it, `npm run build:site` writes it to site/, to be put on any static host.
export default defineConfig({
  root: "examples/playground",
  base: "./",
  plugins: [wgsl({ minify: true }), developmentPolicy],
  server: { host: "127.0.0.1" },
  // The explorer runs the tests' operations, whose device is the browser's there.
  resolve: { alias: [{ find: /^.*\/src\/node\/device\.ts$/, replacement: fileOf("src/browser/device.ts") }] },
  worker: { format: "es", plugins: () => [wgsl({ minify: true })] },
  build: {
    target: "es2022",
    outDir: "../../site",
    emptyOutDir: true,
    rolldownOptions: { input: ["index", "kernels"].map(pageOf) },
  },
});
