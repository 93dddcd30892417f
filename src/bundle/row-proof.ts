/**
 * What a part's rows are, beyond their number: well-formed JSON in UTF-8, and the content digest made of them anew. A
 * SHA-256 only tells that the bytes are those that were written; this tells whether they were written rightly.
 */
import { isUtf8 } from 'node:buffer';
import { ContentDigest } from './content-digest.ts';
import { JsonRowScanner } from './json-row-scanner.ts';

/** What is wrong with a row, to be said behind its number; undefined when nothing is. */
export type RowFault = 'is no well-formed JSON' | 'is no valid UTF-8' | undefined;

/** Takes the rows of one part in order: whole, or piece by piece where they lie across chunks. */
export class RowProof {
  readonly #json = new JsonRowScanner();
  readonly #digest = new ContentDigest();
  /** Of the row that comes in pieces: a piece may end within a character. */
  #decoder: TextDecoder | undefined;

  /** Takes `chunk[start, end)`, all of a row but for its encoding; see {@link RowProof.isText}. */
  row(chunk: Buffer, start: number, end: number): RowFault {
    this.#digest.endRow(chunk, start, end);
    const fits = this.#json.take(chunk, start, end);
    return this.#json.end() && fits ? undefined : 'is no well-formed JSON';
  }

  /** Whether whole rows are UTF-8: many at a time, since asking costs more than looking. */
  isText(chunk: Buffer, start: number, end: number): boolean {
    return isUtf8(chunk.subarray(start, end));
  }

  /** Takes `chunk[start, end)`, a piece of a row that goes on. */
  piece(chunk: Buffer, start: number, end: number): RowFault {
    this.#digest.continueRow(chunk, start, end);
    if (!this.#json.take(chunk, start, end)) return 'is no well-formed JSON';
    this.#decoder ??= new TextDecoder('utf-8', { fatal: true });
    return decodes(this.#decoder, chunk.subarray(start, end)) ? undefined : 'is no valid UTF-8';
  }

  /** Ends the row that came in pieces. */
  endRow(): RowFault {
    this.#digest.endRow(NOTHING, 0, 0);
    const whole = this.#json.end();
    const decoder = this.#decoder;
    this.#decoder = undefined;
    if (!whole) return 'is no well-formed JSON';
    return decoder === undefined || decodes(decoder, undefined) ? undefined : 'is no valid UTF-8';
  }

  /** Of all rows so far: 32 hex digits. */
  digest(): string {
    return this.#digest.totals().digest;
  }
}

const NOTHING = Buffer.alloc(0);

/** @param piece undefined at the end */
function decodes(decoder: TextDecoder, piece: Buffer | undefined): boolean {
  try {
    if (piece === undefined) decoder.decode();
    else decoder.decode(piece, { stream: true });
    return true;
  } catch {
    return false;
  }
}
