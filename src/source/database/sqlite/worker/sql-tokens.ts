/** Just enough of SQLite's grammar to find names in statements that it wrote down itself. */

const TOKEN =
  /--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|\s+|'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|[\w$\u0080-\uffff]+|[\s\S]/g;

/** One token of a statement and where it begins. */
export interface Token {
  readonly text: string;
  readonly at: number;
}

/** The tokens of a statement, without comments and white space. */
export function* tokensOf(sql: string): Generator<Token, void, undefined> {
  for (const match of sql.matchAll(TOKEN)) {
    const [text] = match;
    if (!/^(?:--|\/\*|\s)/.test(text)) yield { text, at: match.index };
  }
}

/** True when a token is a keyword: one that is not quoted. */
export function isKeyword(token: Token | undefined, keyword: string): boolean {
  return token?.text.toUpperCase() === keyword;
}

/** The name that a token stands for, quoted or not. */
export function nameIn(token: Token): string {
  const { text } = token;
  const quote = text[0] ?? '';
  if (quote === '[') return text.slice(1, -1);
  if (!`"'\``.includes(quote)) return text;
  return text.slice(1, -1).replaceAll(quote + quote, quote);
}
