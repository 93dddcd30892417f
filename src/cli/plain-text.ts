/** What people are shown of text that others wrote. */

/** Whoever made a bundle must not write to the terminal: no control characters, and none that turn text around. */
export function plainText(line: string): string {
  return line.toWellFormed().replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\ufffd');
}
