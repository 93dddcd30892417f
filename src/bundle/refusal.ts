/** The ways in which a bundle is refused, in the same words everywhere. */
import { HoldfastError } from '../errors.ts';

const TRY_ANOTHER = 'Restore from another backup, or fetch this bundle again from where it was copied.';

/** The file is no bundle, is cut short, or its structure contradicts itself. */
export function malformedBundle(what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('INVALID_MANIFEST', `The bundle cannot be read: ${what}.`, {
    hint: TRY_ANOTHER,
    cause,
  });
}

/** An entry differs from what is recorded of it. */
export function wrongContent(entry: string, what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('INVALID_CHECKSUM', `The bundle is damaged: ${entry} ${what}.`, {
    hint: TRY_ANOTHER,
    cause,
  });
}

/** A name that leaves its tree or that nobody can write. */
export function unsafePath(path: string, why: string): HoldfastError {
  return unsafeNames(`the name ${JSON.stringify(path)} ${why}`);
}

/** Names that are harmless each, but not together. */
export function unsafeNames(what: string): HoldfastError {
  return new HoldfastError('UNSAFE_PATH', `The bundle is refused: ${what}.`, {
    hint: 'Holdfast writes no such bundle; find out who made it before you use anything from it.',
  });
}
