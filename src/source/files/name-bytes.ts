/**
 * File names as strings. A POSIX name is bytes without `/` and NUL, usually but not always UTF-8. Inside
 * Holdfast every path is a string in which a byte that is not part of valid UTF-8 stands as the lone surrogate
 * U+DC00 + byte (U+DC80..U+DCFF), as Python's `surrogateescape` does: every legal name survives a round trip
 * and JSON, and ordinary names look like themselves.
 */
import { isUtf8 } from 'node:buffer';
import { HoldfastError } from '../../errors.ts';

const ESCAPE_BASE = 0xdc00;
const FIRST_ESCAPE = 0xdc80;
const LAST_ESCAPE = 0xdcff;
/** Every UTF-16 unit below this is one byte of UTF-8 and of Latin-1 alike. */
const FIRST_NON_ASCII = 0x80;

/** Length of the UTF-8 sequence that `lead` would begin; 1 for bytes that begin none. */
function sequenceLength(lead: number): number {
  if (lead >= 0xf0) return 4;
  if (lead >= 0xe0) return 3;
  if (lead >= 0xc0) return 2;
  return 1;
}

/** The string that stands for the bytes of a name or path. */
export function bytesToName(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  let name = '';
  let at = 0;
  while (at < bytes.length) {
    const lead = bytes.readUInt8(at);
    const sequence = bytes.subarray(at, at + sequenceLength(lead));
    if (isUtf8(sequence)) {
      name += sequence.toString('utf8');
      at += sequence.length;
    } else {
      name += String.fromCharCode(ESCAPE_BASE + lead);
      at += 1;
    }
  }
  return name;
}

/**
 * The same for a Latin-1 string (one character a byte), which is how directory listings are held: it is the
 * smallest form, and its order is byte order.
 */
export function latin1ToName(latin1: string): string {
  for (let index = 0; index < latin1.length; index++) {
    if (latin1.charCodeAt(index) >= FIRST_NON_ASCII) return bytesToName(Buffer.from(latin1, 'latin1'));
  }
  return latin1;
}

/**
 * The bytes a string stands for.
 * @throws HoldfastError UNSAFE_PATH for surrogates that stand for no byte, and for escaped bytes that together
 * are valid UTF-8: they would be a second spelling of another name.
 */
export function nameToBytes(name: string): Buffer {
  if (name.isWellFormed()) return Buffer.from(name, 'utf8');
  const parts: Buffer[] = [];
  for (const character of name) {
    const codePoint = character.codePointAt(0) ?? 0;
    if (codePoint >= FIRST_ESCAPE && codePoint <= LAST_ESCAPE) {
      parts.push(Buffer.of(codePoint - ESCAPE_BASE));
    } else if (character.isWellFormed()) {
      parts.push(Buffer.from(character, 'utf8'));
    } else {
      throw notAName(name);
    }
  }
  const bytes = Buffer.concat(parts);
  if (bytesToName(bytes) !== name) throw notAName(name);
  return bytes;
}

function notAName(name: string): HoldfastError {
  return new HoldfastError('UNSAFE_PATH', `"${printable(name)}" stands for no file name.`);
}

/** What node:fs takes for a path: the string itself when that is UTF-8 anyway, else its bytes. */
export function fsPath(path: string): string | Buffer {
  return path.isWellFormed() ? path : nameToBytes(path);
}

/** A path for messages: control characters and escaped bytes are shown as `\xNN`. */
export function printable(path: string): string {
  return path.replace(/[\p{Cc}\p{Cs}]/gu, (character) => {
    const byte = character.charCodeAt(0) & 0xff;
    return `\\x${byte.toString(16).padStart(2, '0')}`;
  });
}
