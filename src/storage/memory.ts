/** A storage that lives in this process, for tests: bundles are lost with it and cost their size in memory. */
import { Readable, Writable } from 'node:stream';
import { abortError, throwIfAborted } from '../errors.ts';
import type { RandomAccess, Storage, StorageUpload, StoredObject } from './storage.ts';
import { objectExists, objectNotFound } from './storage-error.ts';
import { folderSegments, keySegments } from './storage-key.ts';

const CHUNK_BYTES = 64 * 1024;

interface HeldObject extends StoredObject {
  readonly content: Buffer;
}

function access(content: Buffer): RandomAccess {
  return {
    sizeBytes: content.length,
    read(start, end, signal) {
      if (start < 0 || end < start || end > content.length) throw new RangeError('outside of the object');
      function* chunks(): Generator<Buffer> {
        for (let position = start; position < end; position += CHUNK_BYTES) {
          throwIfAborted(signal);
          yield content.subarray(position, Math.min(end, position + CHUNK_BYTES));
        }
      }
      return Readable.from(chunks(), { objectMode: false });
    },
    async close() {},
  };
}

/** Makes an empty storage in memory. */
export function createMemoryStorage(): Storage {
  const objects = new Map<string, HeldObject>();
  const folders = new Set<string>();

  function upload(key: string, signal: AbortSignal): StorageUpload {
    const chunks: Buffer[] = [];
    const writable = new Writable({
      write(chunk: Buffer, _encoding, done) {
        chunks.push(Buffer.from(chunk));
        done();
      },
    });
    writable.on('error', () => {});
    signal.addEventListener('abort', () => writable.destroy(abortError(signal)), { once: true });
    return {
      writable,
      async commit() {
        if (writable.errored) throw writable.errored;
        if (!writable.writableFinished) throw new Error(`commit of ${key} before its stream had ended`);
        if (objects.has(key)) throw objectExists(key);
        const content = Buffer.concat(chunks);
        const held = { key, content, sizeBytes: content.length, modifiedAt: new Date() };
        objects.set(key, held);
        return { key, sizeBytes: held.sizeBytes, modifiedAt: held.modifiedAt };
      },
      async abort() {
        writable.destroy();
        chunks.length = 0;
      },
    };
  }

  return {
    async create(key, signal) {
      const segments = keySegments(key);
      throwIfAborted(signal);
      for (let depth = 1; depth < segments.length; depth += 1)
        folders.add(segments.slice(0, depth).join('/'));
      return upload(key, signal);
    },
    async open(key, signal) {
      keySegments(key);
      throwIfAborted(signal);
      const held = objects.get(key);
      if (held === undefined) throw objectNotFound(key);
      return access(held.content);
    },
    async stat(key, signal) {
      keySegments(key);
      throwIfAborted(signal);
      const held = objects.get(key);
      return held && { key, sizeBytes: held.sizeBytes, modifiedAt: held.modifiedAt };
    },
    async delete(key, signal) {
      keySegments(key);
      throwIfAborted(signal);
      objects.delete(key);
    },
    async hasFolder(folder, signal) {
      folderSegments(folder);
      throwIfAborted(signal);
      return folders.has(folder);
    },
    async *list(folder, signal) {
      folderSegments(folder);
      for (const { key, sizeBytes, modifiedAt } of [...objects.values()]) {
        throwIfAborted(signal);
        if (key.slice(0, key.lastIndexOf('/')) === folder) yield { key, sizeBytes, modifiedAt };
      }
    },
    async sweep(key, signal) {
      keySegments(key);
      throwIfAborted(signal);
    },
  };
}
