/**
 * Finds what a TypeScript file imports, without a compiler: a small scanner that knows comments, strings, templates
 * and regular expressions, so that an import in a comment or a string is none.
 */

import { type Token, tokenize } from './tokenize.ts';

/** One import, re-export, dynamic import, type-only import or `new URL('…', import.meta.url)`. */
export interface Import {
  /** What stands between the quotes; undefined when a dynamic import computes it. */
  readonly specifier: string | undefined;
  /** True when nothing of it is left at run time. */
  readonly typeOnly: boolean;
  /** From 1. */
  readonly line: number;
}

/** What {@link readSource} finds in one file. */
export interface SourceFacts {
  readonly imports: readonly Import[];
  /** Lines, from 1, that reach for the environment of the process. */
  readonly environmentLines: readonly number[];
}

/** Reads the imports of one file. */
export function readSource(text: string): SourceFacts {
  const tokens = tokenize(text);
  const imports: Import[] = [];
  const environmentLines: number[] = [];
  for (const [index, token] of tokens.entries()) {
    const previous = tokens[index - 1];
    if (token.kind !== 'WORD' || previous?.text === '.' || previous?.text === '?.') continue;
    const found = importAt(tokens, index);
    if (found !== undefined) imports.push({ ...found, line: token.line });
    if (token.text === 'process' && reachesEnvironment(tokens, index)) environmentLines.push(token.line);
  }
  for (const found of imports) {
    if (/^(node:)?process$/.test(found.specifier ?? '')) environmentLines.push(found.line);
  }
  return { imports, environmentLines };
}

type Found = Omit<Import, 'line'>;

function importAt(tokens: readonly Token[], index: number): Found | undefined {
  const next = tokens[index + 1];
  if (next === undefined) return undefined;
  switch (tokens[index]?.text) {
    case 'import':
      if (next.kind === 'STRING') return { specifier: next.text, typeOnly: false };
      if (next.text === '.') return undefined;
      return next.text === '(' ? call(tokens, index) : clause(tokens, index);
    case 'export':
      return /^(type|\*|\{)$/.test(next.text) ? clause(tokens, index) : undefined;
    case 'require':
      return next.text === '(' ? call(tokens, index) : undefined;
    case 'new':
      return next.text === 'URL' ? besideThisFile(tokens, index) : undefined;
    default:
      return undefined;
  }
}

/** `import('x')`, `require('x')`, and `typeof import('x')`, which leaves nothing behind. */
function call(tokens: readonly Token[], start: number): Found {
  return { specifier: literalAt(tokens, start + 2), typeOnly: tokens[start - 1]?.text === 'typeof' };
}

/** `new URL('x', import.meta.url)`: how workers and data files are named. */
function besideThisFile(tokens: readonly Token[], start: number): Found | undefined {
  const specifier = literalAt(tokens, start + 3);
  const base = tokens.slice(start + 5, start + 10).map((token) => token.text);
  return specifier !== undefined && base.join('') === 'import.meta.url'
    ? { specifier, typeOnly: false }
    : undefined;
}

/** Reads `import … from 'x'` and `export … from 'x'`; a plain `export { x }` or `export type X =` has no `from`. */
function clause(tokens: readonly Token[], start: number): Found | undefined {
  const from = tokens.findIndex(
    (token, index) => index > start && token.text === 'from' && tokens[index + 1]?.kind === 'STRING',
  );
  const specifier = tokens[from + 1]?.text;
  const between = tokens.slice(start + 1, from);
  // Only names, braces, commas and a star stand between the two words.
  if (from === -1 || between.some(({ kind, text }) => kind !== 'WORD' && !/^[{},*]$/.test(text))) {
    return undefined;
  }
  const names = between.map((token) => token.text);
  const typeOnly = names[0] === 'type' && names.length > 1 && names[1] !== ',';
  return { specifier, typeOnly: typeOnly || eachNameIsType(names.join(' ')) };
}

/** True for `{ type A, type B }`. */
function eachNameIsType(names: string): boolean {
  const listed = /^\{ (.*) \}$/.exec(names)?.[1]?.split(',') ?? [];
  return listed.length > 0 && listed.every((name) => /^\s*(type \S|$)/.test(name));
}

function literalAt(tokens: readonly Token[], index: number): string | undefined {
  const token = tokens[index];
  const end = tokens[index + 1]?.text;
  return token?.kind === 'STRING' && (end === ')' || end === ',') ? token.text : undefined;
}

/** `process.env`, `process['env']`, and taking `process` as a whole (`{ env } = process`). */
function reachesEnvironment(tokens: readonly Token[], index: number): boolean {
  const next = tokens[index + 1];
  const member = tokens[index + 2]?.text;
  if (next?.text === '.' || next?.text === '?.' || next?.text === '[') return member === 'env';
  return tokens[index - 1]?.text === '=';
}
