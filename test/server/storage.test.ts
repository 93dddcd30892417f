import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HoldfastError } from '../../src/errors.ts';
import { encodeGlobalId } from '../../src/schema/global-id.ts';
import { startTestServer, type TestServer } from './support/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const LIST = `query ($first: Int, $after: String) { unknownBundles(first: $first, after: $after) {
  edges { cursor node { storageKey name sizeBytes modifiedAt problem bundle { sourceName } } }
  pageInfo { hasNextPage hasPreviousPage endCursor }
} }`;
const RECONCILE = `mutation ($input: ReconcileStorageInput!) { reconcileStorage(input: $input) {
  __typename ... on ReconcileStoragePayload { checked missing vanished returned undecided unknown }
  ... on UserError { code message }
} }`;
const IMPORT = `mutation ($input: ImportBackupInput!) { importBackup(input: $input) {
  __typename ... on ImportBackupPayload { record { kind } } ... on UserError { code } ... on InvalidInputError { field }
} }`;

interface Answer {
  unknownBundles: {
    edges: { node: { name: string } }[];
    pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; endCursor: string };
  };
}

const lastCall = (verb: string) => server.engine.calls.findLast((call) => call.verb === verb)?.args;

describe('unknownBundles', () => {
  test('are listed page by page', async () => {
    const names: unknown[] = [];
    let after: unknown = null;
    for (const more of [true, false]) {
      const { data } = await server.ask(LIST, { first: 2, after });
      // The shape that LIST asks for.
      const { edges, pageInfo } = (data as unknown as Answer).unknownBundles;
      names.push(...edges.map(({ node }) => node.name));
      expect(edges[0]?.node).toMatchObject({ sizeBytes: '3', problem: 'no bundle', bundle: null });
      expect(pageInfo).toMatchObject({ hasNextPage: more, hasPreviousPage: !more });
      after = pageInfo.endCursor;
    }
    expect(names).toEqual(['a.zip', 'b.zip', 'c.zip']);
  });

  test.each([
    [{ first: 0 }, 'first'],
    [{ first: 101 }, 'first'],
    [{ after: 'nonsense' }, 'after'],
    [{ after: Buffer.from('["createdAt","d","x","y"]').toString('base64url') }, 'after'],
  ])('refuse %o by the name of the argument', async (variables, field) => {
    const { errors } = await server.ask(LIST, variables);
    expect(errors?.[0]).toMatchObject({ extensions: { code: 'INVALID_INPUT', field } });
  });

  test.each(['VIEWER', 'OPERATOR'] as const)('are not shown to a %s', async (role) => {
    const { data, errors } = await server.ask(LIST, {}, server.keys[role]);
    expect(data).toEqual({ unknownBundles: null });
    expect(errors?.[0]).toMatchObject({ extensions: { code: 'FORBIDDEN' } });
  });

  test('are those of the own workspace', async () => {
    await server.ask(LIST, {});
    expect(lastCall('unknownBundles')?.[0]).toMatchObject({ workspaceId: server.workspaceId });
  });
});

describe('reconcileStorage', () => {
  test('tells what it found, and marks unless it is to count only', async () => {
    const { data } = await server.ask(RECONCILE, { input: {} }, server.keys.ADMIN);
    expect(data?.['reconcileStorage']).toEqual({
      __typename: 'ReconcileStoragePayload',
      checked: 5,
      missing: 2,
      vanished: 1,
      returned: 0,
      undecided: 0,
      unknown: 3,
    });
    expect(lastCall('reconcileStorage')?.[1]).toEqual({ dryRun: false });
    await server.ask(RECONCILE, { input: { dryRun: true } });
    expect(lastCall('reconcileStorage')?.[1]).toEqual({ dryRun: true });
  });

  test('answers a storage that is not there, and an operator, with a refusal', async () => {
    const verb = server.engine.reconcileStorage;
    server.engine.reconcileStorage = async () => {
      throw new HoldfastError('STORAGE_UNAVAILABLE', 'not mounted');
    };
    const { data } = await server.ask(RECONCILE, { input: {} });
    expect(data?.['reconcileStorage']).toMatchObject({ __typename: 'StorageError', message: 'not mounted' });
    server.engine.reconcileStorage = verb;
    const refused = await server.ask(RECONCILE, { input: {} }, server.keys.OPERATOR);
    expect(refused.data?.['reconcileStorage']).toMatchObject({ __typename: 'ForbiddenError' });
  });
});

describe('importBackup', () => {
  test('takes a file of the storage by its key', async () => {
    const storageKey = `${server.workspaceId}/a.zip`;
    const { data } = await server.ask(IMPORT, { input: { storageKey } });
    expect(data?.['importBackup']).toMatchObject({ record: { kind: 'IMPORT' } });
    expect(lastCall('importStored')?.slice(1)).toEqual([storageKey, null, undefined]);
    const foreign = await server.ask(IMPORT, { input: { storageKey: 'other/a.zip' } });
    expect(foreign.data?.['importBackup']).toMatchObject({ __typename: 'NotFoundError' });
  });

  test.each([
    {},
    { uploadId: null },
    { uploadId: encodeGlobalId('Upload', '00000000-0000-0000-0000-000000000000'), storageKey: 'w/a.zip' },
  ])('refuses %o: exactly one of upload and file is needed', async (input) => {
    const { data } = await server.ask(IMPORT, { input });
    expect(data?.['importBackup']).toMatchObject({ __typename: 'InvalidInputError', field: 'uploadId' });
  });
});
