/**
 * Which paths of a tree belong to its backups.
 *
 * - Globs are relative to the tree and match whole paths: `*.log` is a log at the top, `**` + `/*.log` one
 *   anywhere. Dotfiles are names like any other. `[` and `{` are special; `\[` means the character.
 * - A glob that matches a directory covers everything beneath it: `docs`, `docs/` and `docs/**` mean the same.
 * - No `include` means everything. `exclude` wins, and an excluded directory is not entered.
 * - A directory is taken as an entry when it is included or something beneath it may be. "May" is judged name
 *   by name from the globs alone, so an empty directory more than needed is possible, one too few is not.
 */
import picomatch from 'picomatch';
import { HoldfastError } from '../../errors.ts';
import { printable } from './name-bytes.ts';
import { belongsToRestore } from './sibling-names.ts';

/** The decision for each path of one tree. */
export interface Selection {
  /** True when a file or link of this path is backed up. */
  takes(path: string): boolean;
  /** True when a directory of this path is an entry, and is entered. */
  enters(path: string): boolean;
}

type Match = (text: string) => boolean;

const GLOB_LIMIT = 1_000;
// `s` lets `**` match names that hold a line break.
const OPTIONS = { dot: true, nonegate: true, windows: false, flags: 's' } as const;

/** @throws HoldfastError INVALID_INPUT */
function normalizeGlob(glob: string): string {
  const refuse = (why: string): HoldfastError =>
    new HoldfastError('INVALID_INPUT', `The glob "${printable(glob)}" is refused: ${why}.`, {
      hint: 'Globs are relative to the tree, for example "docs/**" or "**/*.log".',
    });
  const normal = glob.replace(/^(\.\/)+/, '').replace(/\/+$/, '');
  if (normal === '') throw refuse('it names nothing');
  if (normal.length > GLOB_LIMIT) throw refuse(`it is longer than ${GLOB_LIMIT} characters`);
  if (normal.startsWith('/')) throw refuse('it is absolute');
  if (normal.split('/').includes('..')) throw refuse('it leaves the tree');
  if (/^!(?!\()/.test(normal)) throw refuse('negation is not supported; use the other list');
  return normal;
}

/** Matches the paths a glob names and everything beneath them. */
function coveredBy(globs: readonly string[]): Match {
  return globs.length === 0
    ? () => false
    : picomatch(
        globs.flatMap((glob) => [glob, `${glob}/**`]),
        OPTIONS,
      );
}

/** Matches directories beneath which the glob may match something. */
function leadsTo(glob: string): Match {
  const names = glob.split('/');
  // Braces and groups may hold slashes of their own: such a glob is not taken apart, it may match anywhere.
  if (/[{}()]/.test(glob)) return () => true;
  const matches = names.map((name) => (name.includes('**') ? undefined : picomatch(name, OPTIONS)));
  return (path) => {
    for (const [depth, name] of path.split('/').entries()) {
      if (depth >= matches.length) return false;
      const match = matches[depth];
      if (match === undefined) return true;
      if (!match(name)) return false;
    }
    return true;
  };
}

/**
 * Compiles the globs of a tree.
 * @throws HoldfastError INVALID_INPUT for a glob that is empty, absolute, leaves the tree or negates.
 */
export function selectBy(include: readonly string[], exclude: readonly string[]): Selection {
  const includes = include.map(normalizeGlob);
  const isIncluded: Match = includes.length === 0 ? () => true : coveredBy(includes);
  const isExcluded = coveredBy(exclude.map(normalizeGlob));
  const leads = includes.map(leadsTo);
  const isLeftOut: Match = (path) => belongsToRestore(path) || isExcluded(path);
  return {
    takes: (path) => isIncluded(path) && !isLeftOut(path),
    enters: (path) => (isIncluded(path) || leads.some((lead) => lead(path))) && !isLeftOut(path),
  };
}
