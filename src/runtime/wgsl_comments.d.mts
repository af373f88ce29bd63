/** The code with a space in place of each comment; block comments nest. */
export function withoutComments(code: string): string;
