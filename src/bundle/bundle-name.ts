/** The file name of a bundle: `<source>_<UTC yyyymmdd_hhmmss>_<short id>.zip`. */
import { randomBytes } from 'node:crypto';

const LONGEST_SLUG = 80;

/** A source's name as letters, digits, `.`, `_` and `-`; never empty, never beginning with a dot. */
export function slug(name: string): string {
  const plain = name
    .normalize('NFKD')
    // Accents become marks of their own by NFKD; without them é is e.
    .replace(/\p{M}/gu, '')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[.-]+/, '')
    .slice(0, LONGEST_SLUG)
    .replace(/[.-]+$/, '');
  return plain === '' ? 'source' : plain;
}

/** A new name, different at every call, also within one second. Valid as the last segment of a StorageKey. */
export function newBundleName(sourceName: string, createdAt: Date): string {
  const [day = '', time = ''] = createdAt.toISOString().replaceAll(/[-:]/g, '').split(/[T.]/);
  return `${slug(sourceName)}_${day}_${time}_${randomBytes(5).toString('hex')}.zip`;
}
