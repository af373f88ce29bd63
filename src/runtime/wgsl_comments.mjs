// JavaScript, as the build uses it too: tools/build/minify_wgsl.mjs.

/** The code with a space in place of each comment; block comments nest. */
export function withoutComments(code) {
  let depth = 0;
  return code.replace(/\/\*|\*\/|\/\/[^\n]*|[^/*]+|[/*]/g, (token) => {
    if (token === "/*") depth++;
    else if (token === "*/" && depth > 0) depth--;
    else if (depth === 0) return token.startsWith("//") ? " " : token;
    return " ";
  });
}
