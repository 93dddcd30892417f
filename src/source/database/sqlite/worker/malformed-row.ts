/** A line that is no row of the table; the message goes on from "cannot be read:". */
export class MalformedRow extends Error {
  readonly code: 'INVALID_CHECKSUM' | 'SCHEMA_MISMATCH';

  /** @param code - SCHEMA_MISMATCH when it is a row, but of another table */
  constructor(message: string, code: 'INVALID_CHECKSUM' | 'SCHEMA_MISMATCH' = 'INVALID_CHECKSUM') {
    super(message);
    this.code = code;
  }
}
