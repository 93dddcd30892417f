/** What is done with the rest of a request that was answered before its body had been read. */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Milliseconds the rest is read and thrown away, so that a sender who reads only afterwards gets the answer. */
const DRAIN_MS = 5_000;

/** Call before the answer begins: the connection serves no further request, since its next bytes are this one's. */
export function closeIfUnread(request: IncomingMessage, response: ServerResponse): void {
  if (!request.complete && !response.headersSent) response.setHeader('Connection', 'close');
}

/** Call after the answer: throws away what still arrives, and cuts senders that go on for too long. */
export function drain(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return;
  const timer = setTimeout(() => request.destroy(), DRAIN_MS);
  request.on('close', () => clearTimeout(timer));
  request.on('end', () => clearTimeout(timer));
  request.resume();
}
