/**
 * A server that speaks schema.graphql over HTTP, SSE and WebSocket and tells whatever a test puts into it. Its
 * records outlive it, so that it can be stopped and started again on the same port.
 */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GraphQLError } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { createSchema, createYoga } from 'graphql-yoga';
import { WebSocketServer } from 'ws';
import type { RecordLog } from './record-log.ts';

export const API_KEY = 'hf_test';

const refuse = (code: string, message: string, hint?: string): GraphQLError =>
  new GraphQLError(message, { extensions: { code, ...(hint === undefined ? {} : { hint }) } });

const refused = (type: string, code: string, extra: object = {}) => ({
  __typename: type,
  code,
  message: 'The source is missing.',
  hint: 'Create it first.',
  ...extra,
});

/** What the fake remembers of transfers. */
export interface Transfers {
  readonly uploads: { readonly fileName: string | null; readonly content: Buffer }[];
  bundle: Buffer;
}

function schemaOf(records: ReadonlyMap<string, RecordLog>) {
  return createSchema({
    typeDefs: readFileSync(new URL('../../../schema.graphql', import.meta.url), 'utf8'),
    resolvers: {
      Query: {
        viewer: () => ({ name: 'owner', role: 'OWNER' }),
        backup: (_root: unknown, { id }: { id: string }) =>
          id === 'backup'
            ? { name: 'bundle.zip', sizeBytes: '10', missing: false, downloadUrl: '/download/token' }
            : null,
        settings: () => {
          throw refuse('INTERNAL', 'Something went wrong inside Holdfast (error 1).', 'Look into the log.');
        },
      },
      Mutation: {
        createBackup: (_root: unknown, { input }: { input: { sourceId: string } }) =>
          input.sourceId === 'source'
            ? { __typename: 'CreateBackupPayload', record: [...records.values()][0]?.record }
            : refused('NotFoundError', 'NOT_FOUND'),
        createSource: () => refused('InvalidInputError', 'INVALID_INPUT', { field: 'name' }),
      },
      Subscription: {
        recordProgress: {
          subscribe: (_root: unknown, args: { recordId: string; afterSequence?: number | null }) => {
            const log = records.get(args.recordId);
            if (log === undefined) throw refuse('NOT_FOUND', `There is no record ${args.recordId}.`);
            return log.follow(args.afterSequence ?? null);
          },
          resolve: (event: unknown) => event,
        },
        workspaceEvents: {
          subscribe: () => [...records.values()][0]?.follow(null),
          resolve: (event: unknown) => event,
        },
      },
    },
  });
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

async function transfer(
  transfers: Transfers,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost');
  if (url.pathname === '/upload') {
    if (request.headers.authorization !== `Bearer ${API_KEY}`) {
      sendJson(response, 401, { error: { code: 'UNAUTHENTICATED', message: 'No key.', hint: 'Send one.' } });
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    transfers.uploads.push({ fileName: url.searchParams.get('fileName'), content: Buffer.concat(chunks) });
    sendJson(response, 201, { uploadId: 'upload-1' });
    return;
  }
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  const end = range?.[2] ? Number(range[2]) + 1 : transfers.bundle.length;
  response.writeHead(range === null ? 200 : 206);
  response.end(transfers.bundle.subarray(Number(range?.[1] ?? 0), end));
}

/** Starts it. `records` and `transfers` are the test's and stay when it stops. */
export async function startFakeServer(
  records: ReadonlyMap<string, RecordLog>,
  {
    port = 0,
    transfers = { uploads: [], bundle: Buffer.alloc(0) },
  }: { port?: number; transfers?: Transfers } = {},
) {
  const schema = schemaOf(records);
  const yoga = createYoga({
    schema,
    logging: false,
    maskedErrors: false,
    context: ({ request }) => {
      if (request.headers.get('authorization') !== `Bearer ${API_KEY}`) {
        throw refuse('UNAUTHENTICATED', 'No valid credentials came with the request.', 'Send an API key.');
      }
      return {};
    },
  });
  const http: Server = createServer((request, response) => {
    if (request.url?.startsWith('/graphql')) void yoga(request, response);
    else void transfer(transfers, request, response);
  });
  const sockets = new WebSocketServer({ server: http, path: '/graphql' });
  const graphqlWs = useServer(
    {
      schema,
      onConnect: ({ connectionParams: { authorization } = {} }) => authorization === `Bearer ${API_KEY}`,
    },
    sockets,
  );
  await new Promise<void>((resolve) => http.listen(port, '127.0.0.1', resolve));
  // Listening on TCP, so the address is none of a pipe.
  const address = http.address() as AddressInfo;
  return {
    port: address.port,
    url: `http://127.0.0.1:${address.port}`,
    stop: async (): Promise<void> => {
      const closed = new Promise((resolve) => http.close(resolve));
      await graphqlWs.dispose();
      http.closeAllConnections();
      await closed;
    },
  };
}
