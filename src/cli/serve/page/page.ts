import baseStyle from "../../report/page/base.css?raw";
import { contentPolicy, unixLines } from "../../report/html.ts";
import type { Answer } from "../answers.ts";
import page from "./page.html?raw";
import ownStyle from "./page.css?raw";
import ownScript from "./page.js?raw";

/** The page to drop an image on. It asks nobody but its own service. */
export function pageAnswer(): Answer {
  const script = unixLines(ownScript);
  const slots: Readonly<Record<string, string>> = { style: `${baseStyle}\n${ownStyle}`, script };
  return {
    type: "text/html; charset=utf-8",
    body: unixLines(page).replace(/\{\{(\w+)\}\}/g, (_, name: string) => slots[name]!),
    headers: {
      "content-security-policy": `${contentPolicy([script])}; connect-src 'self'; frame-ancestors 'none'`,
    },
  };
}
