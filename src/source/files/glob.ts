/**
 * One glob, compiled so that no name and no glob can make matching slow: braces are spelled out, a path is
 * compared name by name, `**` is followed without backtracking, and the wildcards within a name are few.
 */
import picomatch from 'picomatch';
import { HoldfastError } from '../../errors.ts';
import { printable } from './name-bytes.ts';

/** What a glob says about the names of a path. */
export interface Glob {
  /** True when it matches the path or a directory that the path lies beneath. */
  covers(names: readonly string[]): boolean;
  /** True when it may match something beneath this directory. */
  leadsThrough(names: readonly string[]): boolean;
}

type MatchName = (name: string) => boolean;
const ANY_DEPTH = '**';
type Part = MatchName | typeof ANY_DEPTH;

const LENGTH_LIMIT = 500;
/** A name of 255 bytes can be divided among this many in under three million ways. */
const WILDCARDS_PER_NAME = 3;
const SPELLINGS_LIMIT = 64;
/** `s` lets wildcards match names that hold a line break. */
const OPTIONS = { dot: true, nonegate: true, noextglob: true, windows: false, flags: 's' } as const;

/** @throws HoldfastError INVALID_INPUT */
function refuse(glob: string, why: string): never {
  throw new HoldfastError('INVALID_INPUT', `The glob "${printable(glob)}" is refused: ${why}.`, {
    hint: 'Globs are relative to the tree and plain, for example "docs/**", "**/*.log" or "*.{jpg,png}".',
  });
}

function normalize(glob: string): string {
  const normal = glob.replace(/^(\.\/)+/, '').replace(/\/+$/, '');
  if (normal === '') refuse(glob, 'it names nothing');
  if (normal.length > LENGTH_LIMIT) refuse(`${glob.slice(0, 40)}…`, `it is over ${LENGTH_LIMIT} characters`);
  if (normal.startsWith('/')) refuse(glob, 'it is absolute');
  if (/^(?:\\.|[^\\])*?[@?!+*]\(/su.test(normal)) refuse(glob, 'groups such as "@(a|b)" are not supported');
  if (normal.startsWith('!')) refuse(glob, 'negation is not supported; use the other list');
  return normal;
}

/** The pieces of the first `{a,b}` of a glob; undefined when there is none. */
function firstBraces(glob: string): { before: string; choices: string[]; after: string } | undefined {
  for (let start = 0; start < glob.length; start++) {
    if (glob[start] === '\\') start += 1;
    else if (glob[start] === '{') {
      const braces = bracesAt(glob, start);
      if (braces !== undefined) return braces;
    }
  }
  return undefined;
}

function bracesAt(glob: string, start: number): ReturnType<typeof firstBraces> {
  const choices: string[] = [];
  let depth = 0;
  let from = start + 1;
  for (let at = start; at < glob.length; at++) {
    const character = glob[at];
    if (character === '\\') at += 1;
    else if (character === '{') depth += 1;
    else if (character === ',' && depth === 1) {
      choices.push(glob.slice(from, at));
      from = at + 1;
    } else if (character === '}') {
      depth -= 1;
      if (depth > 0) continue;
      if (choices.length === 0) return undefined;
      choices.push(glob.slice(from, at));
      return { before: glob.slice(0, start), choices, after: glob.slice(at + 1) };
    }
  }
  return undefined;
}

/** Every glob that a glob with `{a,b}` stands for. */
function spellOut(glob: string): readonly string[] {
  const open = [glob];
  const spelled: string[] = [];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const braces = firstBraces(next);
    if (braces === undefined) spelled.push(next);
    else for (const choice of braces.choices) open.push(braces.before + choice + braces.after);
    if (spelled.length + open.length > SPELLINGS_LIMIT) {
      refuse(glob, `its braces stand for more than ${SPELLINGS_LIMIT} globs`);
    }
  }
  return spelled;
}

function compileName(glob: string, name: string): MatchName {
  // Picomatch would read these as parts of a regular expression; here they are characters of names.
  const plain = name
    .replace(/\*+/g, '*')
    .replace(/\\.|[()|+]/gsu, (found) => (found.length > 1 ? found : `\\${found}`));
  const wildcards = plain.replace(/\\./gsu, '').split('*').length - 1;
  if (wildcards > WILDCARDS_PER_NAME) {
    refuse(glob, `it has more than ${WILDCARDS_PER_NAME} wildcards "*" between two slashes`);
  }
  return /[\\*?[\]{}]/.test(plain) ? picomatch(plain, OPTIONS) : (other) => other === name;
}

function compileParts(glob: string, spelling: string): readonly Part[] {
  const names = spelling.split('/');
  if (names.includes('..')) refuse(glob, 'it leaves the tree');
  if (spelling.startsWith('/')) refuse(glob, 'it is absolute');
  return (
    names
      // No name of a tree is "."; a glob that asks for one would match nothing and never say so.
      .filter((name) => name !== '' && name !== '.')
      .flatMap((name): Part[] => {
        if (/^\*{2,}$/.test(name)) return [ANY_DEPTH];
        // `**.log` is a log at any depth.
        return name.startsWith('**') ? [ANY_DEPTH, compileName(glob, name)] : [compileName(glob, name)];
      })
  );
}

/** Matches `parts` against the path or its beginning. Only the last `**` is ever tried again, which is enough. */
function covers(parts: readonly Part[], names: readonly string[]): boolean {
  let part = 0;
  let name = 0;
  let retry: { part: number; name: number } | undefined;
  for (;;) {
    const match = parts[part];
    if (match === undefined) return true;
    const current = names[name];
    if (match === ANY_DEPTH) {
      part += 1;
      retry = { part, name };
    } else if (current === undefined) return false;
    else if (match(current)) {
      part += 1;
      name += 1;
    } else if (retry === undefined) return false;
    else {
      retry = { part: retry.part, name: retry.name + 1 };
      ({ part, name } = retry);
    }
  }
}

function leadsThrough(parts: readonly Part[], names: readonly string[]): boolean {
  for (const [depth, name] of names.entries()) {
    const match = parts[depth];
    if (match === ANY_DEPTH) return true;
    if (match === undefined || !match(name)) return false;
  }
  return true;
}

/**
 * Compiles a glob.
 * @throws HoldfastError INVALID_INPUT when it is empty, absolute, leaves the tree, negates, uses groups, is over
 * 500 characters or could be slow to match
 */
export function compileGlob(glob: string): Glob {
  const spellings = spellOut(normalize(glob)).map((spelling) => compileParts(glob, spelling));
  if (spellings.some((parts) => parts.length === 0)) refuse(glob, 'it names nothing');
  return {
    covers: (names) => spellings.some((parts) => covers(parts, names)),
    leadsThrough: (names) => spellings.some((parts) => leadsThrough(parts, names)),
  };
}
