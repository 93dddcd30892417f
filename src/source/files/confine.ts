/**
 * Keeps paths inside the configured roots. A path is judged by where it really is: the links in it are
 * resolved as far as it exists, what does not exist yet is appended, and the result must lie inside a root
 * (whose own links are resolved too). Roots and paths are resolved anew at each call.
 */
import { lstat, realpath } from 'node:fs/promises';
import { isAbsolute, normalize } from 'node:path';
import { HoldfastError } from '../../errors.ts';
import { bytesToName, fsPath, printable } from './name-bytes.ts';
import { isMissing, sourceError } from './system-errors.ts';

/** Where a configured path really is. */
export interface Place {
  /** Without links, except that names which do not exist yet stand as they were given. */
  readonly real: string;
  /** How many names at the end of `real` do not exist. */
  readonly missing: number;
}

/** The rule that paths stay inside the roots. */
export interface Confinement {
  /**
   * Where `path` really is.
   * @throws HoldfastError INVALID_INPUT when it is not absolute, UNSAFE_PATH when it is outside the roots or
   * goes through a link that leads nowhere or touches a forbidden directory, SOURCE_UNREACHABLE when it cannot be examined.
   */
  resolve(path: string): Promise<Place>;
  /**
   * Passes a path that was resolved earlier, whatever stands there now: it is inside a root, and the directory
   * around it is still where it was.
   * @throws HoldfastError UNSAFE_PATH
   */
  requireStill(real: string): Promise<void>;
}

/** The directory that holds `path`; `/` for `/`. */
export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

/** The last name of `path`. */
export function baseOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** `name` in `directory`, which may be `/`. */
export function joinPath(directory: string, name: string): string {
  return directory === '/' ? `/${name}` : `${directory}/${name}`;
}

/** True when `path` is `ancestor` or lies beneath it; both without links and `..`. */
export function isInside(path: string, ancestor: string): boolean {
  return path === ancestor || path.startsWith(ancestor === '/' ? '/' : `${ancestor}/`);
}

/** @throws HoldfastError INVALID_INPUT */
function normalizeAbsolute(path: string): string {
  if (!isAbsolute(path) || path.includes('\0')) {
    throw new HoldfastError('INVALID_INPUT', `"${printable(path)}" is not an absolute path.`, {
      hint: 'Give the full path, beginning with "/".',
    });
  }
  const normal = normalize(path);
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal;
}

/** Resolves as much of `path` as exists. System errors other than "missing" are thrown as they are. */
async function resolveExisting(path: string): Promise<Place> {
  let existing = path;
  let missing = 0;
  for (;;) {
    try {
      const real = bytesToName(await realpath(fsPath(existing), { encoding: 'buffer' }));
      const rest = path.slice(existing.length).replace(/^\//, '');
      return { real: rest === '' ? real : joinPath(real, rest), missing };
    } catch (error) {
      if (!isMissing(error) || existing === '/') throw error;
      const link = await lstat(fsPath(existing)).catch(() => undefined);
      if (link?.isSymbolicLink()) {
        throw new HoldfastError(
          'UNSAFE_PATH',
          `"${printable(path)}" goes through a link that leads nowhere.`,
          {
            hint: 'Remove the link or make its target exist.',
          },
        );
      }
      existing = parentOf(existing);
      missing += 1;
    }
  }
}

/**
 * Confines paths to `roots` and away from `forbidden` directories; both are absolute. A path may neither lie in
 * a forbidden directory nor hold one.
 * @throws HoldfastError INVALID_INPUT for a directory that is not absolute.
 */
export function confineTo(roots: readonly string[], forbidden: readonly string[] = []): Confinement {
  const configured = roots.map(normalizeAbsolute);
  const own = forbidden.map(normalizeAbsolute);

  /** @throws HoldfastError UNSAFE_PATH */
  async function requireNotOwn(path: string, real: string): Promise<void> {
    for (const directory of own) {
      // Where it cannot be resolved, its spelling is the best there is.
      const place = await resolveExisting(directory).catch(() => ({ real: directory }));
      if (!isInside(real, place.real) && !isInside(place.real, real)) continue;
      throw new HoldfastError(
        'UNSAFE_PATH',
        `"${printable(path)}" ${isInside(real, place.real) ? 'lies in' : 'holds'} a directory in which Holdfast keeps its own data or backups.`,
        {
          hint: "Choose a path apart from Holdfast's data and storage directories, or have the operator move those.",
        },
      );
    }
  }

  async function realRoots(): Promise<readonly string[]> {
    const places = await Promise.all(configured.map((root) => resolveExisting(root).catch(() => undefined)));
    return places.flatMap((place) => (place === undefined ? [] : [place.real]));
  }

  function outside(path: string): HoldfastError {
    return new HoldfastError(
      'UNSAFE_PATH',
      `"${printable(path)}" is outside the directories Holdfast may use.`,
      {
        hint: 'Choose a path inside a configured root, or have the operator add a root. Links are resolved first.',
      },
    );
  }

  return {
    async resolve(path) {
      const normal = normalizeAbsolute(path);
      const [place, allowed] = await Promise.all([
        resolveExisting(normal).catch((error: unknown) => ({ error })),
        realRoots(),
      ]);
      if ('error' in place) {
        // Nothing is told about paths outside the roots, not even that they cannot be read.
        const spelledInside = [...configured, ...allowed].some((root) => isInside(normal, root));
        throw spelledInside ? sourceError(place.error, 'looking at', path) : outside(path);
      }
      if (!allowed.some((root) => isInside(place.real, root))) throw outside(path);
      await requireNotOwn(path, place.real);
      return place;
    },
    async requireStill(real) {
      const around = await resolveExisting(parentOf(real)).catch(() => undefined);
      const allowed = [...configured, ...(await realRoots())];
      if (around?.real !== parentOf(real) || !allowed.some((root) => isInside(real, root)))
        throw outside(real);
      await requireNotOwn(real, real);
    },
  };
}
