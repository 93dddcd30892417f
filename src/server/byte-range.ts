/** The Range header, as far as downloads need it: one range. */

/** Bytes `[start, end)`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The range that is asked for; undefined for the whole (no header, several ranges, another unit, or nonsense, which
 * a server may ignore), 'UNSATISFIABLE' when it lies outside of `size` bytes.
 */
export function parseRange(
  header: string | undefined,
  size: number,
): ByteRange | 'UNSATISFIABLE' | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.replaceAll(' ', '') ?? '');
  if (match === null) return undefined;
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return undefined;
  if (first === '') {
    const length = Math.min(Number(last), size);
    return length === 0 ? 'UNSATISFIABLE' : { start: size - length, end: size };
  }
  const start = Number(first);
  if (last !== '' && Number(last) < start) return undefined;
  if (start >= size) return 'UNSATISFIABLE';
  return { start, end: last === '' ? size : Math.min(Number(last) + 1, size) };
}
