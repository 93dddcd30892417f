/**
 * The content digest of rows: the sum, modulo 2^128, of the first 16 bytes of the SHA-256 of each row line
 * (without its newline), with the number of rows. It does not depend on the order of the rows, and the digests
 * of parts add up to that of the whole.
 */
import { createHash, type Hash, hash } from 'node:crypto';

const NEWLINE = 0x0a;
const TWO_TO_32 = 0x1_0000_0000;

/** Four characters that stand for bytes, as an unsigned number, most significant first. */
function laneAt(digest: string, at: number): number {
  const high = (digest.charCodeAt(at) << 8) | digest.charCodeAt(at + 1);
  const low = (digest.charCodeAt(at + 2) << 8) | digest.charCodeAt(at + 3);
  return high * 0x1_0000 + low;
}

/** What a run of row lines comes to. */
export interface RowTotals {
  readonly rows: number;
  /** Of the row lines, newlines included. */
  readonly bytes: number;
  /** 32 hex digits. */
  readonly digest: string;
}

/** The totals of no rows. */
export const NO_ROWS: RowTotals = { rows: 0, bytes: 0, digest: '0'.repeat(32) };

/** Adds up row lines as they stream past; needs the same little memory for any number and size of rows. */
export class ContentDigest {
  #rows = 0;
  #bytes = 0;
  /** The 128-bit sum, most significant lane first. */
  #lane0 = 0;
  #lane1 = 0;
  #lane2 = 0;
  #lane3 = 0;
  /** The row that has begun in an earlier chunk. */
  #openRow: Hash | undefined;

  /** Whole rows so far. */
  get rows(): number {
    return this.#rows;
  }

  /** Takes row lines; chunks may end anywhere. */
  update(chunk: Buffer): void {
    let start = 0;
    for (;;) {
      const newline = chunk.indexOf(NEWLINE, start);
      if (newline < 0) break;
      this.endRow(chunk, start, newline);
      start = newline + 1;
    }
    if (start < chunk.length) this.continueRow(chunk, start, chunk.length);
  }

  /** Takes `chunk[start, end)` as the last (or only) piece of a row, without its newline. */
  endRow(chunk: Buffer, start: number, end: number): void {
    const piece = chunk.subarray(start, end);
    // As a string of one character a byte: a Buffer for each row would cost three times as much, and its garbage.
    const digest =
      this.#openRow === undefined
        ? hash('sha256', piece, 'binary')
        : this.#openRow.update(piece).digest('binary');
    this.#openRow = undefined;
    this.#rows++;
    this.#bytes += end - start + 1;
    // Each lane stays below 2^33 while carrying, exact in a double; BigInt would cost more than the hash.
    const sum3 = this.#lane3 + laneAt(digest, 12);
    const sum2 = this.#lane2 + laneAt(digest, 8) + (sum3 >= TWO_TO_32 ? 1 : 0);
    const sum1 = this.#lane1 + laneAt(digest, 4) + (sum2 >= TWO_TO_32 ? 1 : 0);
    const sum0 = this.#lane0 + laneAt(digest, 0) + (sum1 >= TWO_TO_32 ? 1 : 0);
    this.#lane3 = sum3 % TWO_TO_32;
    this.#lane2 = sum2 % TWO_TO_32;
    this.#lane1 = sum1 % TWO_TO_32;
    this.#lane0 = sum0 % TWO_TO_32;
  }

  /** Takes `chunk[start, end)` as a piece of a row that goes on. */
  continueRow(chunk: Buffer, start: number, end: number): void {
    this.#openRow ??= createHash('sha256');
    this.#openRow.update(chunk.subarray(start, end));
    this.#bytes += end - start;
  }

  /**
   * The totals so far.
   * @throws Error when the last row has not ended with a newline: rows went missing on the way
   */
  totals(): RowTotals {
    if (this.#openRow !== undefined) throw new Error('the row lines end in the middle of a row');
    const lanes = [this.#lane0, this.#lane1, this.#lane2, this.#lane3];
    return {
      rows: this.#rows,
      bytes: this.#bytes,
      digest: lanes.map((lane) => lane.toString(16).padStart(8, '0')).join(''),
    };
  }
}

/** The digest of two runs of rows together. Both are 32 hex digits, and so is the sum. */
export function addDigests(a: string, b: string): string {
  const sum = (BigInt(`0x${a}`) + BigInt(`0x${b}`)) & ((1n << 128n) - 1n);
  return sum.toString(16).padStart(32, '0');
}

/** The totals of two runs of rows together. */
export function addTotals(a: RowTotals, b: RowTotals): RowTotals {
  return { rows: a.rows + b.rows, bytes: a.bytes + b.bytes, digest: addDigests(a.digest, b.digest) };
}
