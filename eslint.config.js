import tseslint from "typescript-eslint";
import { docstringWords } from "./tools/lint/docstring_words.mjs";

export default tseslint.config(
  {
    ignores: [
      "dist/",
      "dist-device/",
      "site/",
      "docs/.vitepress/cache/",
      "docs/.vitepress/.temp/",
      "runs/",
      "bigrid-demo/",
    ],
  },
  tseslint.configs.base,
  {
    files: ["src/**/*.ts", "test/**/*.ts", "bench/**/*.ts", "examples/playground/*.ts", "tools/pictures/**/*.ts"],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      eqeqeq: "error",
      "no-restricted-syntax": ["error", { selector: "ExportDefaultDeclaration", message: "Named exports only." }],
      "@typescript-eslint/consistent-type-imports": "error",
      // noUncheckedIndexedAccess makes it the way to say what is known
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "@typescript-eslint/require-await": "off",
    },
  },
  {
    plugins: { bigrid: { rules: { "docstring-words": docstringWords } } },
    rules: { "bigrid/docstring-words": "error" },
  },
  {
    files: ["**/*.d.ts"],
    rules: { "no-restricted-syntax": "off", "@typescript-eslint/consistent-type-imports": "off" },
  },
);
