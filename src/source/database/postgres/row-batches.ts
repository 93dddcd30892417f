/** Turns what `COPY … TO STDOUT (FORMAT binary)` sends, for rows of one text, into row lines in large chunks. */

/** Bytes of a chunk that is handed on. */
const BATCH_BYTES = 256 * 1024;
/** A chunk at least this full is handed on rather than end inside a row. */
const WORTH_HANDING_ON = BATCH_BYTES / 2;
/** Rows shorter than this are copied byte by byte, which beats the call of a copy. */
const SHORT = 32;

const LINE_END = 0x0a;
/** `PGCOPY\n\377\r\n\0` and the flags; the length of the header's extension follows. */
const SIGNATURE_BYTES = 15;
/** Fields (2 bytes) and the length of the first. */
const ROW_HEADER_BYTES = 6;

/** Where the stream stands. Its pieces may end anywhere, so each number is gathered before it is read. */
type Place = 'SIGNATURE' | 'EXTENSION LENGTH' | 'EXTENSION' | 'FIELDS' | 'LENGTH' | 'TEXT' | 'TRAILER';

const LENGTH_OF: Readonly<Partial<Record<Place, number>>> = {
  SIGNATURE: SIGNATURE_BYTES,
  'EXTENSION LENGTH': 4,
  FIELDS: 2,
  LENGTH: 4,
};

/** Takes the payload of CopyData messages, in order, and gives out batches of row lines. */
export class RowBatches {
  readonly #give: (batch: Buffer) => void;
  #batch: Buffer = Buffer.allocUnsafeSlow(BATCH_BYTES);
  /** A batch that came back, for the next one. */
  #spare: Buffer | undefined;
  #length = 0;
  #place: Place = 'SIGNATURE';
  readonly #gathered = Buffer.alloc(SIGNATURE_BYTES);
  #gatheredLength = 0;
  /** Bytes left of what is passed over or copied. */
  #left = 0;

  constructor(give: (batch: Buffer) => void) {
    this.#give = give;
  }

  /**
   * One whole message that is one whole row, the usual case; false when it is anything else, and then
   * {@link add} takes it.
   */
  addRow(chunk: Buffer, start: number, end: number): boolean {
    if (this.#place !== 'FIELDS' || this.#gatheredLength > 0 || end - start < ROW_HEADER_BYTES) return false;
    const text = start + ROW_HEADER_BYTES;
    const bytes = end - text;
    if (chunk.readInt32BE(start + 2) !== bytes || chunk[start + 1] !== 1) return false;
    let length = this.#length;
    if (length + bytes >= BATCH_BYTES) {
      if (length >= WORTH_HANDING_ON) {
        this.flush();
        length = 0;
      }
      if (length + bytes >= BATCH_BYTES) return false;
    }
    const batch = this.#batch;
    if (bytes < SHORT) {
      for (let at = text; at < end; at += 1, length += 1) batch[length] = chunk[at] ?? 0;
    } else {
      chunk.copy(batch, length, text, end);
      length += bytes;
    }
    batch[length] = LINE_END;
    this.#length = length + 1;
    return true;
  }

  /** Any piece of the payload. */
  add(chunk: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end) {
      const wanted = LENGTH_OF[this.#place];
      if (wanted !== undefined) {
        const taken = Math.min(wanted - this.#gatheredLength, end - at);
        chunk.copy(this.#gathered, this.#gatheredLength, at, at + taken);
        this.#gatheredLength += taken;
        at += taken;
        if (this.#gatheredLength === wanted) {
          this.#gatheredLength = 0;
          this.#turn();
        }
      } else if (this.#place === 'TRAILER') {
        throw new Error('PostgreSQL sent rows behind the end of a COPY');
      } else {
        const taken = Math.min(this.#left, end - at);
        if (this.#place === 'TEXT') this.#copy(chunk, at, at + taken);
        at += taken;
        this.#left -= taken;
        if (this.#left === 0) this.#pass();
      }
    }
  }

  /** Takes back a batch that nobody looks at any more, to fill it again: fresh ones keep the collector busy. */
  takeBack(batch: Buffer): void {
    this.#spare = Buffer.from(batch.buffer);
  }

  /** Hands on what there is. */
  flush(): void {
    if (this.#length === 0) return;
    this.#give(this.#batch.subarray(0, this.#length));
    this.#batch = this.#spare ?? Buffer.allocUnsafeSlow(BATCH_BYTES);
    this.#spare = undefined;
    this.#length = 0;
  }

  /** The number of the current place is complete. */
  #turn(): void {
    switch (this.#place) {
      case 'SIGNATURE':
        this.#place = 'EXTENSION LENGTH';
        return;
      case 'FIELDS': {
        const fields = this.#gathered.readInt16BE(0);
        if (fields !== 1 && fields !== -1)
          throw new Error(`PostgreSQL sent a row of ${fields} fields, not 1`);
        this.#place = fields === 1 ? 'LENGTH' : 'TRAILER';
        return;
      }
      default:
        this.#left = this.#gathered.readInt32BE(0);
        // A row line is never NULL, which would be -1.
        if (this.#left < 0) throw new Error('PostgreSQL sent a row without text');
        this.#place = this.#place === 'LENGTH' ? 'TEXT' : 'EXTENSION';
        if (this.#left === 0) this.#pass();
    }
  }

  /** What was passed over or copied has ended. */
  #pass(): void {
    if (this.#place === 'TEXT') {
      if (this.#length === BATCH_BYTES) this.flush();
      this.#batch[this.#length] = LINE_END;
      this.#length += 1;
    }
    this.#place = 'FIELDS';
  }

  #copy(chunk: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end) {
      if (this.#length === BATCH_BYTES) this.flush();
      const taken = Math.min(BATCH_BYTES - this.#length, end - at);
      chunk.copy(this.#batch, this.#length, at, at + taken);
      this.#length += taken;
      at += taken;
    }
  }
}
