import { afterAll, beforeAll, expect, test } from 'vitest';
import { addBackup, startTestServer, type TestServer } from './support/test-server.ts';

let server: TestServer;
let id: string;
beforeAll(async () => {
  server = await startTestServer();
  id = (await addBackup(server)).globalId;
});
afterAll(() => server.stop());

const ROWS = `query ($id: ID!, $name: String! = "customers", $first: Int, $after: String) {
  backup(id: $id) {
    table(schema: "public", name: $name) {
      schema name rowCount columns { name type nullable }
      rows(first: $first, after: $after) {
        totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node sizeBytes }
      }
    }
  }
}`;

interface Connection {
  readonly pageInfo: { readonly endCursor: string };
  readonly edges: readonly { readonly cursor: string; readonly node: unknown }[];
}

async function page(variables: object): Promise<Connection> {
  const { data, errors } = await server.ask(ROWS, { id, ...variables });
  expect(errors).toBeUndefined();
  // An answer has the shape of the query above it; the server's type knows only that it is JSON.
  return (data as unknown as { backup: { table: { rows: Connection } } }).backup.table.rows;
}

test('the rows of a table are read page after page, to the end', async () => {
  const first = await page({ first: 10 });
  expect(first).toMatchObject({ totalCount: '12', pageInfo: { hasNextPage: true, hasPreviousPage: false } });
  expect(first.edges[9]).toMatchObject({ node: { id: 9 }, sizeBytes: '10' });
  const last = await page({ first: 10, after: first.pageInfo.endCursor });
  expect(last.edges.map(({ node }) => node)).toEqual([{ id: 10 }, null]);
  expect(last).toMatchObject({ pageInfo: { hasNextPage: false, hasPreviousPage: true } });
  expect((await page({ after: last.pageInfo.endCursor })).edges).toEqual([]);
});

test.each([
  ['too many rows', { first: 101 }, 'first'],
  ['no rows', { first: 0 }, 'first'],
  ['text that is no cursor', { after: 'x' }, 'after'],
  ['a cursor behind the end', { after: cursor(['public', 'customers', 12]) }, 'after'],
  ['a cursor of another table', { after: cursor(['public', 'orders', 1]) }, 'after'],
])('%s is refused, naming the argument', async (_what, variables, field) => {
  const { data, errors } = await server.ask(ROWS, { id, ...variables });
  expect(data).toMatchObject({ backup: { table: { name: 'customers', rows: null } } });
  expect(errors).toMatchObject([
    { message: expect.stringContaining(field), extensions: { code: 'INVALID_INPUT' } },
  ]);
});

function cursor(position: readonly unknown[]): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

test.each(['VIEWER', 'OPERATOR'] as const)('a %s sees what a table is, but no rows', async (role) => {
  const { data, errors } = await server.ask(ROWS, { id }, server.keys[role]);
  expect(data).toEqual({
    backup: {
      table: {
        schema: 'public',
        name: 'customers',
        rowCount: '12',
        columns: [{ name: 'id', type: 'bigint', nullable: false }],
        rows: null,
      },
    },
  });
  expect(errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
});

test('a table that the backup does not hold is null, as is a backup of others', async () => {
  expect((await server.ask(ROWS, { id, name: 'none' })).data).toEqual({ backup: { table: null } });
  expect((await server.ask(ROWS, { id }, server.otherKey)).data).toEqual({ backup: null });
});
