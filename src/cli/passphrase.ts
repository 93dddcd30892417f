/** Asks for a passphrase on the terminal, without showing it. */
import { readFile } from 'node:fs/promises';
import type { ReadStream } from 'node:tty';
import { HoldfastError } from '../errors.ts';

const ENTER = /[\r\n]/;
const BACKSPACE = new Set(['\b', '\u007f']);
/** Ctrl-C and Ctrl-D. */
const GIVE_UP = new Set(['\u0003', '\u0004']);

/**
 * The first line of a file.
 * @throws HoldfastError INVALID_INPUT when it cannot be read
 */
export async function passphraseFrom(file: string): Promise<string> {
  try {
    const [line = ''] = (await readFile(file, 'utf8')).split(/\r?\n/, 1);
    return line;
  } catch (cause) {
    throw new HoldfastError('INVALID_INPUT', `The passphrase file ${file} cannot be read.`, { cause });
  }
}

/**
 * Asks on the terminal.
 * @throws HoldfastError INVALID_INPUT when there is none, CANCELED when Ctrl-C or Ctrl-D is pressed
 */
export async function askPassphrase(question: string): Promise<string> {
  const stdin = process.stdin;
  if (!stdin.isTTY) {
    throw new HoldfastError('INVALID_INPUT', 'There is no terminal to ask for the passphrase on.', {
      hint: 'Give it as HOLDFAST_KIT_PASSPHRASE, or in a file: --passphrase-file FILE.',
    });
  }
  // Raw before it asks: whoever types at once shall not see it either.
  const line = typed(stdin);
  process.stderr.write(question);
  try {
    return await line;
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    process.stderr.write('\n');
  }
}

function typed(terminal: ReadStream): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let line: string[] = [];
  // Raw, so that nothing is shown and Ctrl-C comes as a character.
  terminal.setRawMode(true).setEncoding('utf8').resume();
  const take = (text: string): void => {
    for (const character of text) {
      if (GIVE_UP.has(character)) reject(new HoldfastError('CANCELED', 'No passphrase was given.'));
      else if (ENTER.test(character)) resolve(line.join(''));
      else if (BACKSPACE.has(character)) line = line.slice(0, -1);
      else line.push(character);
    }
  };
  terminal.on('data', take);
  return promise.finally(() => terminal.off('data', take));
}
