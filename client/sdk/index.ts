/** `holdfast/client`: the typed client, for Node.js 22 and later and for browsers. */
export { createClient, type HoldfastClient, type ListOptions, type RequestArguments } from './client.ts';
export type { ClientOptions, RequestOptions } from './connection.ts';
export { HoldfastRequestError, type RequestErrorCode, unwrap } from './errors.ts';
export type { RecordEvent } from './event-stream.ts';
export type { FollowOptions, FollowRecordOptions } from './follow.ts';
// The types of every input, result and enum, and the documents, for `request`.
export * from './generated/graphql.ts';
export type { DownloadOptions, UploadContent, UploadOptions } from './transfer.ts';
