// Minifies the library's WGSL for files that are shipped: no comments, no spaces that mean nothing, short names for what
// nobody outside a file can see. A line for each declaration stays, so that compiler messages have useful positions.

import { withoutComments } from "../../src/runtime/wgsl_comments.mjs";

const TOKENS = /\w+|[^\w\s]/g;
const OPERATORS = "+-*/%=<>&|!"; // two of them without a space between may be one token, or begin a comment
const DECLARES = ["let", "const", "alias", "struct", "fn", "var"];
const RESERVED = ["as", "do", "fn", "if", "of"]; // words of WGSL that could be short names

/**
 * Tokens of WGSL, each with the number of braces around it, whether there are spaces before it, and its role:
 *
 * - "name": a word that stands for what is declared under it;
 * - "member": a member of a struct, a component of a vector, or an attribute with what is built in: never renamed.
 */
function tokensOf(code) {
  const tokens = [];
  let depth = 0;
  let end = 0;
  let structDepth = 0; // of the members of the struct that is being read; 0 outside
  for (const { 0: text, index } of withoutComments(code).matchAll(TOKENS)) {
    const before = tokens.at(-1)?.text;
    if (text === "{" && ++depth && tokens.at(-2)?.text === "struct") structDepth = depth;
    if (text === "}" && depth-- === structDepth) structDepth = 0;
    const isBuiltin = before === "(" && tokens.at(-2)?.text === "builtin";
    const isMember = before === "." || before === "@" || isBuiltin;
    const role = isMember ? "member" : /^[A-Za-z_]/.test(text) ? "name" : "sign";
    tokens.push({ text, depth, role, isSpaced: index > end, inStruct: structDepth > 0 });
    end = index + text.length;
  }
  for (const [i, token] of tokens.entries()) {
    if (token.inStruct && tokens[i + 1]?.text === ":") token.role = "member";
  }
  return tokens;
}

/**
 * The names in a file, by who knows them.
 *
 * @returns `local`: names that no other file, launcher or caller knows; `global`: names of module scope among them;
 *   `kept`: all other words, such as bindings, overrides, entry points and what WGSL itself declares
 */
function namesOf(tokens) {
  const local = new Set();
  const global = new Set();
  const kept = new Set();
  const functions = new Set();
  let isEntryPoint = false;
  let parentheses = 0; // around a token, within the parameters of a function; 0 outside
  for (const [i, { text, depth, role }] of tokens.entries()) {
    if (text === "compute") isEntryPoint = true;
    if (text === "(" && (parentheses > 0 || tokens[i - 2]?.text === "fn")) parentheses++;
    if (text === ")" && parentheses > 0) parentheses--;
    if (role !== "name") continue;
    if (parentheses === 1 && tokens[i + 1]?.text === ":") local.add(text);
    if (!DECLARES.includes(text)) continue;
    let at = i + 1;
    const space = text === "var" && tokens[at].text === "<" ? tokens[at + 1].text : null;
    if (space !== null) while (tokens[at++].text !== ">");
    const name = tokens[at].text;
    if (depth === 0) global.add(name);
    if (text === "fn") functions.add(name);
    if (space === "storage" || space === "uniform" || (text === "fn" && isEntryPoint)) kept.add(name);
    else local.add(name);
    if (text === "fn") isEntryPoint = false;
  }
  for (const [i, { text, role }] of tokens.entries()) {
    // A variable may have the name of a function of WGSL, which the file calls elsewhere.
    const isForeign = tokens[i + 1]?.text === "(" && !functions.has(text) && !global.has(text);
    if (role === "name" && (!local.has(text) || isForeign)) kept.add(text);
  }
  for (const name of kept) local.delete(name);
  return { local, global, kept };
}

const LETTERS = [..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"];
const SHORT = [
  ...LETTERS,
  ...LETTERS.flatMap((first) => [...LETTERS, ..."0123456789"].map((second) => first + second)),
];

/** Words that occur in each declaration of module scope, and all names of module scope together. */
function sectionsOf(tokens, global) {
  const sections = [new Set()];
  for (const { text, depth, role } of tokens) {
    if (role === "name") sections.at(-1).add(text);
    if (depth === 0 && (text === ";" || text === "}")) sections.push(new Set());
  }
  return [...sections, global];
}

/**
 * Chooses a short name for each word that files declare for themselves, the same in all files, as that compresses best.
 * The most frequent words come first, and take the shortest name that no word in the same declaration has.
 *
 * @param kernels texts of kernel files
 * @param preludes texts of what is put before them: what these declare at module scope keeps its name everywhere
 * @returns names for `minified`
 */
export function shortNamesOf(kernels, preludes) {
  const files = [...preludes, ...kernels].map(tokensOf).map((tokens) => ({ tokens, ...namesOf(tokens) }));
  const shared = new Set(files.slice(0, preludes.length).flatMap(({ global }) => [...global]));
  const counts = new Map();
  const keptBeside = new Map(); // by word: what the files that it occurs in keep
  const sections = new Map(); // by word: those that it occurs in
  for (const { tokens, local, global, kept } of files) {
    const isShort = (text) => local.has(text) && !shared.has(text);
    for (const { text, role } of tokens) {
      if (role === "name" && isShort(text)) counts.set(text, (counts.get(text) ?? 0) + 1);
    }
    for (const section of sectionsOf(tokens, global)) {
      for (const word of [...section].filter(isShort)) {
        sections.set(word, [...(sections.get(word) ?? []), section]);
        keptBeside.set(word, (keptBeside.get(word) ?? new Set()).add(kept));
      }
    }
  }
  const free = SHORT.filter((name) => !RESERVED.includes(name) && !shared.has(name));
  const names = new Map();
  for (const [word] of [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))) {
    const near = sections.get(word).flatMap((section) => [...section]);
    const used = new Set(near.map((other) => names.get(other)));
    const isFree = (name) => !used.has(name) && [...keptBeside.get(word)].every((kept) => !kept.has(name));
    names.set(word, free.find(isFree) ?? word);
  }
  return names;
}

/**
 * Minifies a WGSL file.
 *
 * @param names short names for words, of `shortNamesOf`; they replace those words that the file declares for itself.
 *   Default: none
 */
export function minified(code, names = new Map()) {
  const tokens = tokensOf(code);
  const { local } = namesOf(tokens);
  let text = "";
  for (const [i, { text: word, depth, role, isSpaced }] of tokens.entries()) {
    const next = tokens[i + 1];
    // A comma before a closing sign is redundant.
    if (word === "," && (next?.text === ")" || next?.text === "}")) continue;
    const last = text.at(-1) ?? "";
    const mayJoin = (/\w/.test(last) && /^\w/.test(word)) || (OPERATORS.includes(last) && OPERATORS.includes(word));
    if (isSpaced && mayJoin && last !== "") text += " ";
    text += (role === "name" && local.has(word) && names.get(word)) || word;
    if (depth === 0 && (word === ";" || (word === "}" && next?.text !== ";"))) text += "\n";
  }
  return text;
}
