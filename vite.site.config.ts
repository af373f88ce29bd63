import { defineConfig } from "vite";
import { wgsl } from "./tools/vite_wgsl.mjs";

// The playground: `npm run dev` serves it, `npm run build:site` writes it to site/, to be put on any static host.
export default defineConfig({
  root: "docs/playground",
  base: "./",
  plugins: [wgsl({ minify: true })],
  server: { host: "127.0.0.1" },
  worker: { format: "es", plugins: () => [wgsl({ minify: true })] },
  build: {
    target: "es2022",
    outDir: "../../site",
    emptyOutDir: true,
    rolldownOptions: { input: ["docs/playground/index.html", "docs/playground/kernels.html"] },
  },
});
