/** Bundles as bytes: they travel over plain HTTP, never through GraphQL. */
import { type Connection, execute, type RequestOptions, responseError } from './connection.ts';
import { HoldfastRequestError } from './errors.ts';
import { BackupDownloadDocument } from './generated/graphql.ts';
import { isObject } from './graphql-response.ts';

/** What an upload is made of. */
export type UploadContent = Blob | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;

export interface UploadOptions extends RequestOptions {
  /** Name of the bundle's file. */
  readonly fileName: string;
}

export interface DownloadOptions extends RequestOptions {
  /** Bytes to fetch, both ends included; without `end` to the last one. The whole bundle when left out. */
  readonly range?: { readonly start: number; readonly end?: number | undefined } | undefined;
}

/** A `duplex` is what fetch wants with a stream as its body; the types of Node.js do not know it everywhere. */
interface StreamingRequest extends RequestInit {
  readonly duplex?: 'half';
}

async function uploadId(response: Response): Promise<string> {
  const answer: unknown = await response.json().catch(() => undefined);
  const { uploadId: id } = isObject(answer) ? answer : {};
  if (typeof id === 'string') return id;
  throw new HoldfastRequestError('PROTOCOL', 'The server took the upload without telling its id.');
}

/** Sends a bundle to the server: see {@link HoldfastClient.upload}. */
export async function upload(
  connection: Connection,
  content: UploadContent,
  { fileName, signal }: UploadOptions,
): Promise<string> {
  const url = new URL('upload', connection.baseUrl);
  url.searchParams.set('fileName', fileName);
  const request: StreamingRequest = {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: content,
    signal: signal ?? null,
    ...(content instanceof ReadableStream ? { duplex: 'half' } : {}),
  };
  const response = await connection.send(url, request);
  if (!response.ok) throw await responseError(response, signal);
  return uploadId(response);
}

/** Fetches a bundle, or a part of it: see {@link HoldfastClient.download}. */
export async function download(
  connection: Connection,
  backupId: string,
  { range, signal }: DownloadOptions,
): Promise<Response> {
  const { backup } = await execute(connection, BackupDownloadDocument, { id: backupId }, { signal });
  if (backup === null) throw new HoldfastRequestError('NOT_FOUND', `There is no backup ${backupId}.`);
  if (backup.downloadUrl === null) {
    throw new HoldfastRequestError('NOT_FOUND', `The bundle of ${backup.name} is gone from the storage.`);
  }
  const response = await connection.send(new URL(backup.downloadUrl, connection.baseUrl), {
    headers: range === undefined ? {} : { range: `bytes=${range.start}-${range.end ?? ''}` },
    signal: signal ?? null,
  });
  const expected = range === undefined ? 200 : 206;
  if (response.status !== expected) throw await responseError(response, signal);
  return response;
}
