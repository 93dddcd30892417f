/** A scratch directory on the real file system, and plain ways to fill and read it. */
import { execFileSync } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { mkdir, mkdtemp, realpath, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { FileTree, SkippedEntry, TreeEntry } from '../../../src/source/file-trees.ts';

// Pictures of trees show modes.
process.umask(0o022);

export const never = new AbortController().signal;

/** Makes an empty directory; remove it with {@link removeScratch}. */
export async function makeScratch(): Promise<string> {
  return realpath(await mkdtemp(join(tmpdir(), 'holdfast-files-')));
}

export async function removeScratch(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
}

/** Writes files (with their directories) given as relative path -> content. */
export async function fill(directory: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), content);
  }
}

export function treeAt(path: string, globs: Partial<Pick<FileTree, 'include' | 'exclude'>> = {}): FileTree {
  return { name: 'tree', path, include: [], exclude: [], ...globs };
}

/** Everything below a directory in words, independent of the code under test: `path mode kind content`. */
export function picture(directory: string): string[] {
  const lines: string[] = [];
  const visit = (prefix: string): void => {
    for (const name of readdirSync(Buffer.from(directory + prefix, 'latin1'), {
      encoding: 'latin1',
    }).sort()) {
      const path = `${prefix}/${name}`;
      const at = Buffer.from(directory + path, 'latin1');
      const stat = lstatSync(at);
      const mode = (stat.mode & 0o7777).toString(8);
      if (stat.isDirectory()) {
        lines.push(`${path} ${mode} dir`);
        visit(path);
      } else if (stat.isSymbolicLink()) lines.push(`${path} -> ${readlinkSync(at)}`);
      else if (stat.isFile()) lines.push(`${path} ${mode} ${readFileSync(at, 'utf8').slice(0, 60)}`);
      else lines.push(`${path} special`);
    }
  };
  visit('');
  return lines;
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

export async function* bytes(...chunks: (string | Buffer)[]): AsyncGenerator<Buffer> {
  for (const chunk of chunks) yield Buffer.from(chunk);
}

export async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

/** A listener for skipped entries that remembers them. */
export function skippedList(): { list: SkippedEntry[]; note: (skipped: SkippedEntry) => void } {
  const list: SkippedEntry[] = [];
  return { list, note: (skipped) => list.push(skipped) };
}

export function file(
  path: string,
  content: string,
  mode = 0o644,
  mtimeNs = '1700000000000000000',
): TreeEntry {
  return { kind: 'FILE', path, mode, mtimeNs, sizeBytes: Buffer.byteLength(content) };
}

export function directory(path: string, mode = 0o755, mtimeNs = '1700000000000000000'): TreeEntry {
  return { kind: 'DIRECTORY', path, mode, mtimeNs };
}

export function link(path: string, target: string): TreeEntry {
  return { kind: 'SYMLINK', path, mode: 0o777, mtimeNs: '1700000000000000000', target };
}

/** Sets a time with all its nanoseconds, which node:fs cannot. */
export function touch(path: string, seconds: string): void {
  execFileSync('touch', ['-h', '-d', `@${seconds}`, path]);
}

export async function age(path: string): Promise<void> {
  await utimes(path, 1_600_000_000, 1_600_000_000);
}

export const isRoot = process.geteuid?.() === 0;
