/** Writes JSON strings from bytes, as the server's own JSON_QUOTE does. */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const ESCAPES: readonly Buffer[] = Array.from({ length: 256 }, (_, byte) =>
  Buffer.from(escapeOf(byte), 'latin1'),
);
/** How many bytes each byte becomes. */
const LENGTHS = Uint8Array.from(ESCAPES, (written) => written.length);

const BOUND = Buffer.from('"');

function escapeOf(byte: number): string {
  if (byte === QUOTE) return '\\"';
  if (byte === BACKSLASH) return '\\\\';
  if (byte >= SPACE) return String.fromCharCode(byte);
  const short: Readonly<Record<number, string>> = { 8: '\\b', 9: '\\t', 10: '\\n', 12: '\\f', 13: '\\r' };
  return short[byte] ?? `\\u00${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}

/** A JSON string of UTF-8 text, in pieces. */
export function quotedText(text: Buffer): Buffer[] {
  let length = 0;
  for (let at = 0; at < text.length; at += 1) length += LENGTHS[text[at] ?? 0] ?? 1;
  if (length === text.length) return [BOUND, text, BOUND];
  const escaped = Buffer.allocUnsafe(length);
  let end = 0;
  for (let at = 0; at < text.length; at += 1) {
    const byte = text[at] ?? 0;
    if (LENGTHS[byte] === 1) {
      escaped[end] = byte;
      end += 1;
    } else {
      end += ESCAPES[byte]?.copy(escaped, end) ?? 0;
    }
  }
  return [BOUND, escaped, BOUND];
}

/** A JSON string of hexadecimal digits. */
export function quotedHex(bytes: Buffer): Buffer[] {
  return [BOUND, hexDigits(bytes), BOUND];
}

const HEX = Buffer.from('0123456789ABCDEF');

function hexDigits(bytes: Buffer): Buffer {
  const digits = Buffer.allocUnsafe(bytes.length * 2);
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    digits[2 * at] = HEX[byte >> 4] ?? 0;
    digits[2 * at + 1] = HEX[byte & 15] ?? 0;
  }
  return digits;
}
