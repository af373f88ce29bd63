// The explorer's WGSL: to be read beside its float64 definition, changed, and run against it.
import { DEFINITIONS, IS_COMBINED } from "./definitions.ts";
import { OWN, type Check, type CodeFault, type Duration, type KernelReply } from "./kernels_protocol.ts";
import { byId, element, onClick, show } from "./page.ts";

const TEXTS = import.meta.glob<string>("../../test/{operations,reference}/*.ts", { query: "?raw", import: "default" });
const textOf = (folder: string, name: string): Promise<string> => TEXTS[`../../test/${folder}/${name}.ts`]!();

/** Code with its comments marked. */
const coloured = (code: string): (HTMLElement | string)[] =>
  code
    .split(/(\/\/[^\n]*)/)
    .map((part) => (part.startsWith("//") ? element("span", { className: "comment", textContent: part }) : part));

/** Files of definitions that a file of operations names. */
const referencesIn = (operations: string): string[] => [
  ...new Set([...operations.matchAll(/from "\.\.\/reference\/(\w+)\.ts"/g)].map(([, name]) => name!)),
];

/** Shows a kernel's code and definition, and asks for trials of what the visitor makes of the code. */
export class KernelEditor {
  readonly #ask: (code: string | null) => void;
  #shader = "";
  #source = "";
  #isChanged = false; // changed code is in use

  /** @param ask tries code in place of the shader's own; null: the library's again */
  constructor(ask: (code: string | null) => void) {
    this.#ask = ask;
    onClick("edit", () => this.#edit());
    onClick("try", () => this.#try());
    onClick("restore", () => this.#restore());
    byId("editor").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.#try();
    });
  }

  get #editor(): HTMLTextAreaElement {
    return byId<HTMLTextAreaElement>("editor");
  }

  /** Shows a kernel; one that was changed before is the library's again. */
  open(shader: string, source: string): void {
    if (this.#isChanged && this.#shader !== OWN) this.#ask(null);
    [this.#shader, this.#source, this.#isChanged] = [shader, source, false];
    this.#editor.value = source;
    byId("code").replaceChildren(...coloured(source));
    this.#clear();
    show(true, "code-box");
    show(false, "editor", "restore");
    show(!IS_COMBINED.has(shader), "edit", "try");
    byId("combined").hidden = !IS_COMBINED.has(shader);
    void this.#define(shader);
    if (shader === OWN) this.#showEditor();
  }

  /** Trials are possible once there is a device. */
  enable(): void {
    byId<HTMLButtonElement>("try").disabled = false;
  }

  /** Shows what came of a trial. */
  tried({ faults, checks, before, after }: Extract<KernelReply, { kind: "tried" }>): void {
    if (!this.#isChanged && this.#shader !== OWN) return; // the library's is in use again
    byId("faults").replaceChildren(...faults.map((fault) => this.#faultLine(fault)));
    show(faults.length > 0, "faults");
    show(checks.length > 0, "checks");
    byId("checks")
      .querySelector("tbody")!
      .replaceChildren(...checks.map(checkRow));
    byId("tried").textContent = verdictOf(faults, checks) + paceOf(before, after);
  }

  /** Shows that a trial failed otherwise. */
  failed(): void {
    byId("tried").textContent = "";
  }

  #showEditor(): void {
    show(false, "code-box", "edit");
    show(true, "editor");
  }

  #edit(): void {
    this.#showEditor();
    this.#editor.focus({ preventScroll: true });
  }

  #try(): void {
    this.#showEditor();
    show(this.#shader !== OWN, "restore");
    this.#clear();
    byId("tried").textContent = "Running …";
    this.#isChanged = true;
    this.#ask(this.#editor.value);
  }

  #restore(): void {
    this.open(this.#shader, this.#source);
  }

  #clear(): void {
    byId("tried").textContent = "";
    show(false, "faults", "checks");
  }

  /** A compiler's error; pressing it selects its line. */
  #faultLine({ line, message }: CodeFault): HTMLElement {
    const button = element("button", { type: "button", className: "plain", textContent: `line ${line}` });
    button.addEventListener("click", () => {
      const lines = this.#editor.value.split("\n");
      const start = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
      this.#editor.focus();
      this.#editor.setSelectionRange(start, start + (lines[line - 1]?.length ?? 0));
    });
    return element("li", {}, button, ` ${message}`);
  }

  async #define(shader: string): Promise<void> {
    const { operations = [] } = DEFINITIONS[shader] ?? {};
    const names = (await Promise.all(operations.map((name) => textOf("operations", name)))).flatMap(referencesIn);
    const texts = await Promise.all([...new Set(names)].map((name) => textOf("reference", name)));
    if (shader !== this.#shader) return; // another kernel has been opened meanwhile
    byId("definition").replaceChildren(...coloured(texts.join("\n").trim()));
    show(texts.length > 0, "definition-box");
    show(texts.length === 0, "undefined");
    byId("undefined").textContent =
      shader === OWN
        ? "Its backward is compared with central differences of its forward, at 256 numbers from -4 to 4."
        : "This kernel has tests of its own and no operation with a definition: compare its picture and its rates.";
  }
}

function verdictOf(faults: readonly CodeFault[], checks: readonly Check[]): string {
  if (faults.length > 0) return "It does not compile; the kernel before is in use.";
  const wrong = checks.filter(({ excess }) => excess !== null).length;
  if (checks.length === 0) return "It compiles; no operation on this adapter runs it.";
  return wrong === 0 ? "As defined." : `${wrong} of ${checks.length} differ from their definition.`;
}

const paceOf = (before: Duration | null, after: Duration | null): string =>
  before && after ? ` ${after.what}: ${before.milliseconds} ms before, ${after.milliseconds} ms now.` : "";

function checkRow({ operation, problems, difference, excess }: Check): HTMLElement {
  const row = element(
    "tr",
    {},
    ...[operation, String(problems), difference.toPrecision(2), excess ?? "as defined"].map((textContent) =>
      element("td", { textContent }),
    ),
  );
  row.dataset["verdict"] = excess === null ? "right" : "wrong";
  return row;
}
