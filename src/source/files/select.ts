/**
 * Which paths of a tree belong to its backups.
 *
 * - Globs are relative to the tree and match whole paths: `*.log` is a log at the top, `**` + `/*.log` one
 *   anywhere. Dotfiles are names like any other. `[` and `{` are special; `\[` means the character. Parentheses
 *   are characters of names; groups such as `@(a|b)` are refused.
 * - A glob that matches a directory covers everything beneath it: `docs`, `docs/` and `docs/**` mean the same.
 * - No `include` means everything. `exclude` wins, and an excluded directory is not entered.
 * - A directory is taken as an entry when it is included or something beneath it may be. "May" is judged name
 *   by name from the globs alone, so an empty directory more than needed is possible, one too few is not.
 */
import { compileGlob, type Glob } from './glob.ts';
import { belongsToRestore } from './sibling-names.ts';

/** The decision for each path of one tree. */
export interface Selection {
  /** True when a file or link of this path is backed up. */
  takes(path: string): boolean;
  /** True when a directory of this path is an entry, and is entered. */
  enters(path: string): boolean;
}

type Match = (path: string) => boolean;

function coveredBy(globs: readonly Glob[]): Match {
  if (globs.length === 0) return () => false;
  return (path) => {
    const names = path.split('/');
    return globs.some((glob) => glob.covers(names));
  };
}

/**
 * Compiles the globs of a tree.
 * @throws HoldfastError INVALID_INPUT for what {@link compileGlob} refuses
 */
export function selectBy(include: readonly string[], exclude: readonly string[]): Selection {
  const includes = include.map(compileGlob);
  const isIncluded: Match = includes.length === 0 ? () => true : coveredBy(includes);
  const isExcluded = coveredBy(exclude.map(compileGlob));
  const isLeftOut: Match = (path) => belongsToRestore(path) || isExcluded(path);
  const leadsOn: Match = (path) => {
    const names = path.split('/');
    return includes.some((glob) => glob.leadsThrough(names));
  };
  return {
    takes: (path) => isIncluded(path) && !isLeftOut(path),
    enters: (path) => (isIncluded(path) || leadsOn(path)) && !isLeftOut(path),
  };
}
