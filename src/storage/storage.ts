/**
 * The contract between the engine and the place where bundles live. Every implementation passes the suite in
 * test/conformance/storage.ts.
 *
 * Errors: STORAGE_FULL when there is no room, STORAGE_UNAVAILABLE for any other fault of the medium, NOT_FOUND
 * only when the object is certainly not there (an IO error is never reported as "not found"), UNSAFE_PATH for
 * a key that is not a {@link StorageKey}.
 */
import type { Readable, Writable } from 'node:stream';

/** `<folder>/<file name>`: two or more segments of `[A-Za-z0-9._-]`, none of which begins with a dot. */
export type StorageKey = string;

/** What is known of a stored object without reading it. */
export interface StoredObject {
  readonly key: StorageKey;
  /** Bytes. */
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
}

/** An object that is being written. Until {@link commit} resolves nobody sees it. */
export interface StorageUpload {
  /**
   * Takes the bytes, with backpressure, and looks at no chunk any more once its write was called back. The caller ends
   * it before {@link commit}.
   */
  readonly writable: Writable;
  /**
   * Makes the object durable and visible at once (filesystem: fsync, rename, fsync of the directory).
   * MUST NOT overwrite: an existing key is INVALID_INPUT and leaves the existing object as it was.
   */
  commit(): Promise<StoredObject>;
  /** Removes every trace. Idempotent; safe after a failed {@link commit}. */
  abort(): Promise<void>;
}

/** Random access to one stored object; it stays readable while open, also when deleted meanwhile. */
export interface RandomAccess {
  /** Bytes. */
  readonly sizeBytes: number;
  /** Reads `[start, end)`; a short object is an error, never a short read. */
  read(start: number, end: number, signal: AbortSignal): Readable;
  /** Idempotent. */
  close(): Promise<void>;
}

/** A place where bundles live. */
export interface Storage {
  /** Begins an object. Nothing is visible under `key` before commit. */
  create(key: StorageKey, signal: AbortSignal): Promise<StorageUpload>;
  open(key: StorageKey, signal: AbortSignal): Promise<RandomAccess>;
  /** Undefined when the object is certainly not there. */
  stat(key: StorageKey, signal: AbortSignal): Promise<StoredObject | undefined>;
  /** Durable when it resolves. Idempotent: deleting what is not there succeeds. */
  delete(key: StorageKey, signal: AbortSignal): Promise<void>;
  /**
   * Whether the folder is there, be it empty. That it is not may mean that nothing was ever stored in it, or that this
   * is not the storage it was stored in (a disk that is not mounted); it says nothing of the objects.
   */
  hasFolder(folder: string, signal: AbortSignal): Promise<boolean>;
  /** Every visible object of a folder, in no particular order; never a half-written one. */
  list(folder: string, signal: AbortSignal): AsyncIterable<StoredObject>;
  /**
   * Removes what interrupted uploads left behind under `folder`, for the given key only when one is named.
   * MUST NOT touch an upload that another living process is writing to another key.
   */
  sweep(key: StorageKey, signal: AbortSignal): Promise<void>;
}
