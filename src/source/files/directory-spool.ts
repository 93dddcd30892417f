/**
 * The modes and times that staged directories get at the very end, children before parents. Kept in a file
 * beside the stage, because there may be more directories than memory.
 */
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { fsPath } from './name-bytes.ts';

/** What one directory is to become. */
export interface SpooledDirectory {
  readonly path: string;
  readonly mode: number;
  readonly mtimeNs: string;
}

const BLOCK = 64 * 1024;
const PRIVATE = 0o600;

/** Written forwards, read backwards. */
export class DirectorySpool {
  readonly #path: string;
  readonly #handle: FileHandle;
  #size = 0;
  #closed = false;

  private constructor(path: string, handle: FileHandle) {
    this.#path = path;
    this.#handle = handle;
  }

  /** Makes the file at `path`, which must not exist. */
  static async create(path: string): Promise<DirectorySpool> {
    return new DirectorySpool(path, await open(fsPath(path), 'wx+', PRIVATE));
  }

  async add(directory: SpooledDirectory): Promise<void> {
    const line = `${JSON.stringify(directory)}\n`;
    await this.#handle.appendFile(line);
    this.#size += Buffer.byteLength(line);
  }

  /** The last one added first. */
  async *backwards(): AsyncGenerator<SpooledDirectory> {
    // Lines are split as Latin-1, where a block boundary cannot fall inside a character.
    let rest = '';
    for (let end = this.#size; end > 0; ) {
      const start = Math.max(0, end - BLOCK);
      const block = Buffer.alloc(end - start);
      await this.#handle.read(block, 0, block.length, start);
      const lines = (block.toString('latin1') + rest).split('\n');
      rest = start > 0 ? (lines.shift() ?? '') : '';
      for (const line of lines.reverse()) if (line !== '') yield parse(line);
      end = start;
    }
  }

  /** Removes the file. Idempotent. */
  async remove(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#handle.close();
    await unlink(fsPath(this.#path));
  }
}

function parse(line: string): SpooledDirectory {
  // This program wrote the line itself, a moment ago, into a file only it can read.
  return JSON.parse(Buffer.from(line, 'latin1').toString('utf8')) as SpooledDirectory;
}
