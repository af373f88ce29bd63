// An ESLint rule: a docstring begins with the thing or its verb, so that it is understood at first reading.
const TURNED = /^\*[\s*]*(What|How|Of|Whether|Where|Why|Which)\b/;

/** @type {import("eslint").Rule.RuleModule} */
export const docstringWords = {
  meta: {
    type: "suggestion",
    schema: [],
    messages: { turned: 'a docstring begins with the thing or its verb, not with "{{word}}"' },
  },
  create: (context) => ({
    Program() {
      for (const comment of context.sourceCode.getAllComments()) {
        const word = comment.type === "Block" ? TURNED.exec(comment.value)?.[1] : undefined;
        if (word) context.report({ loc: comment.loc, messageId: "turned", data: { word } });
      }
    },
  }),
};
