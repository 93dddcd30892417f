/**
 * A storage that fails as media fail: a wrapper round a real one, whose faults a test puts in place and takes away.
 * Each fault is what an implementation of the contract could answer, or a lie it could tell.
 */

import { Transform, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { abortError } from '../../src/errors.ts';
import type { RandomAccess, Storage, StorageKey, StorageUpload } from '../../src/storage/storage.ts';
import { storageError } from '../../src/storage/storage-error.ts';

/** What can go wrong. `CREATE`, `COMMIT`, … name the call of the contract that fails with an error of the medium. */
export type StorageFault =
  | {
      readonly at:
        | 'CREATE'
        | 'WRITE'
        | 'COMMIT'
        | 'OPEN'
        | 'READ'
        | 'STAT'
        | 'DELETE'
        | 'LIST'
        | 'HAS_FOLDER';
      /** The code of the system error. */
      readonly code: 'ENOSPC' | 'EIO' | 'EACCES';
      /** Bytes that pass before WRITE and READ fail, objects before LIST does. */
      readonly after?: number;
    }
  /** Reads end so many bytes early, without a word. */
  | { readonly at: 'READ_SHORT'; readonly missing: number }
  /** A bit of the byte at this place of the object is read wrong. */
  | { readonly at: 'READ_WRONG'; readonly position: (sizeBytes: number) => number }
  /** Reads, writes and lists come in small pieces, each after a while. */
  | { readonly at: 'SLOW'; readonly milliseconds: number }
  /** The call does not come back until it is aborted. */
  | { readonly at: 'HANG'; readonly call: 'CREATE' | 'WRITE' | 'OPEN' | 'READ' | 'STAT' | 'LIST' };

/** A storage with faults. */
export class FaultyStorage implements Storage {
  fault: StorageFault | undefined;
  /** Times the fault was met. */
  met = 0;
  /** Called when a call begins to hang. */
  onHang: () => void = () => undefined;
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  async create(key: StorageKey, signal: AbortSignal): Promise<StorageUpload> {
    await this.#meet('CREATE', signal);
    const upload = await this.#storage.create(key, signal);
    return {
      writable: this.#writable(upload.writable, signal),
      commit: async () => {
        await this.#meet('COMMIT', signal);
        return await upload.commit();
      },
      abort: () => upload.abort(),
    };
  }

  async open(key: StorageKey, signal: AbortSignal): Promise<RandomAccess> {
    await this.#meet('OPEN', signal);
    const file = await this.#storage.open(key, signal);
    return {
      sizeBytes: file.sizeBytes,
      read: (start, end, readSignal) => {
        const faults = this.#readFaults(start, end, file.sizeBytes, readSignal);
        const content = file.read(start, end, readSignal);
        content.on('error', (error) => faults.destroy(error));
        faults.on('close', () => content.destroy());
        return content.pipe(faults);
      },
      close: () => file.close(),
    };
  }

  async stat(key: StorageKey, signal: AbortSignal) {
    await this.#meet('STAT', signal);
    return await this.#storage.stat(key, signal);
  }

  async delete(key: StorageKey, signal: AbortSignal): Promise<void> {
    await this.#meet('DELETE', signal);
    await this.#storage.delete(key, signal);
  }

  async hasFolder(folder: string, signal: AbortSignal): Promise<boolean> {
    await this.#meet('HAS_FOLDER', signal);
    return await this.#storage.hasFolder(folder, signal);
  }

  async *list(folder: string, signal: AbortSignal) {
    let listed = 0;
    for await (const object of this.#storage.list(folder, signal)) {
      await this.#meet('LIST', signal, listed);
      listed += 1;
      yield object;
    }
  }

  async sweep(key: StorageKey, signal: AbortSignal): Promise<void> {
    await this.#storage.sweep(key, signal);
  }

  /** Fails, hangs or takes its time, where that is the fault of this call. `done`: what has passed already. */
  async #meet(call: string, signal: AbortSignal, done = 0): Promise<void> {
    const { fault } = this;
    if (fault === undefined) return;
    if (fault.at === 'SLOW') await delay(fault.milliseconds, undefined, { signal }).catch(() => undefined);
    else if (fault.at === 'HANG' && fault.call === call) await this.#hang(signal);
    else if ('code' in fault && fault.at === call && done >= (fault.after ?? 0)) {
      this.met += 1;
      throw storageError(Object.assign(new Error(fault.code), { code: fault.code }), call.toLowerCase());
    }
  }

  async #hang(signal: AbortSignal): Promise<never> {
    this.met += 1;
    const aborted = Promise.withResolvers<never>();
    const give = (): void => aborted.reject(abortError(signal));
    if (signal.aborted) give();
    signal.addEventListener('abort', give, { once: true });
    this.onHang();
    return await aborted.promise;
  }

  #writable(target: Writable, signal: AbortSignal): Writable {
    let written = 0;
    const meet = (): Promise<void> => this.#meet('WRITE', signal, written);
    const outer = new Writable({
      write(chunk: Buffer, _encoding, done) {
        written += chunk.length;
        meet().then(
          () => target.write(chunk, done),
          (error: Error) => done(error),
        );
      },
      final(done) {
        target.end(done);
      },
      destroy(error, done) {
        if (!target.writableFinished) target.destroy(error ?? undefined);
        done(error);
      },
    });
    outer.on('error', () => undefined);
    target.on('error', (error) => outer.destroy(error));
    return outer;
  }

  #readFaults(start: number, end: number, sizeBytes: number, signal: AbortSignal): Transform {
    let position = start;
    const change = async (chunk: Buffer): Promise<Buffer> => {
      await this.#meet('READ', signal, position - start);
      const from = position;
      position += chunk.length;
      const { fault } = this;
      if (fault?.at === 'READ_SHORT' && position > end - fault.missing) {
        this.met += 1;
        return chunk.subarray(0, Math.max(0, end - fault.missing - from));
      }
      if (fault?.at === 'READ_WRONG') {
        const wrong = fault.position(sizeBytes) - from;
        if (wrong >= 0 && wrong < chunk.length) {
          this.met += 1;
          const copy = Buffer.from(chunk);
          copy.writeUInt8(copy.readUInt8(wrong) ^ 1, wrong);
          return copy;
        }
      }
      return chunk;
    };
    const stream = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        change(chunk).then(
          (changed) => done(null, changed.length === 0 ? undefined : changed),
          (error: Error) => done(error),
        );
      },
    });
    return stream;
  }
}
