/**
 * The bounds of a bundle. The writer keeps to them too: a backup that could be made but not read would be the
 * worst of all.
 */
import { HoldfastError } from '../errors.ts';
import type { BundleLimits } from './bundle.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const TIB = 1024 * GIB;

/** What holds when a caller names no limits. */
export const DEFAULT_LIMITS: BundleLimits = {
  manifestBytes: 16 * MIB,
  entryBytes: 4 * TIB,
  totalBytes: 64 * TIB,
  // PostgreSQL takes no value beyond 1 GiB, and hex doubles bytes.
  rowBytes: 2 * GIB,
  schemaBytes: 64 * MIB,
  entries: 1_000_000,
};

/** The zip's central directory, which the reader keeps in memory. */
export const MOST_DIRECTORY_BYTES = 256 * MIB;
/** One line of entries.ndjson: three paths of PATH_MAX bytes, each byte escaped, fit. */
export const LONGEST_ENTRY_LINE = 128 * KIB;
/** Levels of nesting in manifest.json; version 1 needs 6. */
export const DEEPEST_JSON = 32;
/**
 * Objects and lists in manifest.json. One of three bytes takes twenty times as many in memory; of those that
 * version 1 has, fewer fit into the bytes that a manifest may have.
 */
export const MOST_JSON_OBJECTS = 600_000;
/**
 * More JSON than this goes into another part of the table. Small enough that a page of rows is found by unpacking
 * little and that parts are checked side by side, big enough that a terabyte is far from the limit on entries.
 */
export const DEFAULT_PART_BYTES = 64 * MIB;

/** The refusal of a backup that would not be readable. */
export function tooBigToWrite(what: string, limit: string): HoldfastError {
  return new HoldfastError('INVALID_INPUT', `${what} is too big for one bundle: the limit is ${limit}.`, {
    hint: 'Split the source into several, or exclude what need not be kept.',
  });
}
