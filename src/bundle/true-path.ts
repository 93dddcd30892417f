/** The rule for true names of files, on their way in and on their way out. */
import { unsafePath } from './refusal.ts';

/** Characters; no path that an operating system takes is longer. */
const LONGEST_PATH = 4096;
/** A surrogate without its other half, but for U+DC80..U+DCFF, which stand for raw bytes. */
const STRAY_SURROGATE = /\p{Surrogate}/u;

function withoutRawBytes(path: string): string {
  // By code point: the second half of a pair is not touched.
  return path.replace(/[\u{DC80}-\u{DCFF}]/gu, '');
}

/** The bytes that a name or a link's target has on disk. */
export function trueBytes(name: string): Buffer {
  if (name.isWellFormed()) return Buffer.from(name);
  return Buffer.concat(
    Array.from(name, (character) => {
      const code = character.codePointAt(0) ?? 0;
      return code >= 0xdc80 && code <= 0xdcff ? Buffer.of(code - 0xdc00) : Buffer.from(character);
    }),
  );
}

/**
 * Accepts relative paths that stay inside: names such as `[...slug]`, `a..b`, `..foo` or `C:\x` are legal.
 * @throws UNSAFE_PATH
 */
export function checkTruePath(path: string): void {
  if (path === '') throw unsafePath(path, 'is empty');
  if (path.length > LONGEST_PATH) throw unsafePath(`${path.slice(0, 60)}…`, 'is too long');
  if (path.startsWith('/')) throw unsafePath(path, 'is absolute');
  if (path.includes('\0')) throw unsafePath(path, 'holds a NUL');
  if (STRAY_SURROGATE.test(withoutRawBytes(path))) throw unsafePath(path, 'is not well-formed Unicode');
  for (const name of path.split('/')) {
    if (name === '' || name === '.' || name === '..')
      throw unsafePath(path, 'leaves its tree or names nothing');
  }
}

/** @throws UNSAFE_PATH when no link can have this target. Targets outside of the tree are legal: they are data. */
export function checkLinkTarget(path: string, target: string): void {
  if (target === '' || target.includes('\0') || target.length > LONGEST_PATH) {
    throw unsafePath(path, 'is a link to a target that no link can have');
  }
}
