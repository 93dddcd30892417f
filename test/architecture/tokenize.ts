/** Splits TypeScript into words, strings and marks, well enough to tell code from comments and strings. */

export interface Token {
  /** A TEMPLATE is one stretch of a template literal; the expressions inside it are tokens of their own. */
  readonly kind: 'WORD' | 'STRING' | 'TEMPLATE' | 'MARK';
  /** Of a string, what stands between the quotes. */
  readonly text: string;
  /** From 1. */
  readonly line: number;
}

/** Words after which a `/` begins a regular expression and not a division. */
const BEFORE_EXPRESSION = new Set(
  'return typeof case in of delete void throw new else do await yield instanceof extends default'.split(' '),
);

/** The marks of several characters that matter here. */
const LONG_MARKS = ['...', '?.'];

const WORD = /[\p{ID_Start}$_#\d][\p{ID_Continue}$\u200c\u200d]*/uy;

/** Splits a file. */
export function tokenize(text: string): readonly Token[] {
  return new Scanner(text).tokens;
}

class Scanner {
  readonly tokens: Token[] = [];
  readonly #text: string;
  #at = 0;
  #line = 1;
  /** How many braces are open. */
  #depth = 0;
  /** The depths at which outer templates go on. */
  readonly #templates: number[] = [];

  constructor(text: string) {
    this.#text = text;
    while (this.#at < text.length) this.#takeNext(text[this.#at] ?? '');
  }

  #takeNext(character: string): void {
    const pair = this.#text.slice(this.#at, this.#at + 2);
    if (/\s/.test(character)) this.#skipTo(this.#at + 1);
    else if (pair === '//') this.#skipTo(this.#find('\n', this.#at));
    else if (pair === '/*') this.#skipTo(this.#find('*/', this.#at + 2) + 2);
    else if (character === "'" || character === '"') this.#takeString(character);
    else if (character === '`') this.#takeTemplate();
    else if (character === '/' && beginsRegex(this.tokens.at(-1)))
      this.#take('MARK', '/', this.#endOfRegex());
    else if (character === '}' && this.#templates.at(-1) === this.#depth - 1) {
      this.#templates.pop();
      this.#depth -= 1;
      this.#takeTemplate();
    } else this.#takeWordOrMark(character);
  }

  #take(kind: Token['kind'], text: string, end: number): void {
    this.tokens.push({ kind, text, line: this.#line });
    this.#skipTo(end);
  }

  #skipTo(end: number): void {
    for (let index = this.#at; index < end; index += 1) if (this.#text[index] === '\n') this.#line += 1;
    this.#at = end;
  }

  #find(search: string, from: number): number {
    const found = this.#text.indexOf(search, from);
    return found === -1 ? this.#text.length : found;
  }

  /** The first place after the current one where `stop` holds; what a backslash protects is passed over. */
  #endAt(stop: (index: number) => boolean): number {
    let end = this.#at + 1;
    while (end < this.#text.length && !stop(end)) end += this.#text[end] === '\\' ? 2 : 1;
    return end;
  }

  /** A string ends with its line, so that a stray quote can hide one line at most. */
  #takeString(quote: string): void {
    const end = this.#endAt((index) => this.#text[index] === quote || this.#text[index] === '\n');
    this.#take('STRING', this.#text.slice(this.#at + 1, end), end + 1);
  }

  /** From the start of a template or the `}` of an expression in it, to its end or the next `${`. */
  #takeTemplate(): void {
    const end = this.#endAt((index) => this.#text[index] === '`' || this.#text.startsWith('${', index));
    if (this.#text[end] === '`') {
      this.#take('TEMPLATE', '`', end + 1);
      return;
    }
    this.#take('TEMPLATE', '${', end + 2);
    this.#templates.push(this.#depth);
    this.#depth += 1;
  }

  #takeWordOrMark(character: string): void {
    WORD.lastIndex = this.#at;
    const word = WORD.exec(this.#text)?.[0];
    if (word !== undefined) {
      this.#take('WORD', word, this.#at + word.length);
      return;
    }
    if (character === '{') this.#depth += 1;
    if (character === '}') this.#depth -= 1;
    const mark = LONG_MARKS.find((long) => this.#text.startsWith(long, this.#at)) ?? character;
    this.#take('MARK', mark, this.#at + mark.length);
  }

  #endOfRegex(): number {
    let inClass = false;
    const end = this.#endAt((index) => {
      const character = this.#text[index];
      if (character === '[') inClass = true;
      if (character === ']') inClass = false;
      return (character === '/' && !inClass) || character === '\n';
    });
    return end + 1;
  }
}

function beginsRegex(previous: Token | undefined): boolean {
  if (previous === undefined) return true;
  if (previous.kind === 'WORD') return BEFORE_EXPRESSION.has(previous.text);
  if (previous.kind === 'TEMPLATE') return previous.text === '${';
  return previous.kind === 'MARK' && !/^[)\]}/]$/.test(previous.text);
}
