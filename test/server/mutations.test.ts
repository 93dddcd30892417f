import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HoldfastError } from '../../src/errors.ts';
import { encodeGlobalId } from '../../src/schema/global-id.ts';
import {
  addBackup,
  addRecord,
  addSource,
  aManifest,
  startTestServer,
  type TestServer,
} from './support/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const REFUSAL = '__typename ... on UserError { code message hint } ... on InvalidInputError { field }';

/** Runs a mutation and answers its result; fails when there are GraphQL errors. */
async function mutate(name: string, input: object, payload: string): Promise<unknown> {
  const Name = name.charAt(0).toUpperCase() + name.slice(1);
  const { data, errors } = await server.ask(
    `mutation ($input: ${Name}Input!) { ${name}(input: $input) { ${REFUSAL} ... on ${Name}Payload { ${payload} } } }`,
    { input },
  );
  expect(errors).toBeUndefined();
  return data?.[name];
}

function lastCall(verb: string) {
  return server.engine.calls.findLast((call) => call.verb === verb)?.args;
}

describe('createSource', () => {
  test('hands the definition to the engine and answers the source without its secrets', async () => {
    const answer = await mutate(
      'createSource',
      {
        name: '  shop  ',
        database: { postgresql: { url: 'postgresql://app:pa55@db:5432/shop' } },
        excludedTables: [{ schema: 'public', name: 'cache' }],
        trees: [{ name: 'uploads', path: '/srv/uploads', exclude: ['*.tmp'] }],
        envFile: { path: '/srv/.env' },
      },
      'source { name database { kind label } trees { name include exclude } envFile { restorePath } }',
    );
    expect(answer).toEqual({
      __typename: 'CreateSourcePayload',
      source: {
        name: 'shop',
        database: { kind: 'POSTGRESQL', label: 'db:5432/shop' },
        trees: [{ name: 'uploads', include: [], exclude: ['*.tmp'] }],
        envFile: { restorePath: null },
      },
    });
    expect(lastCall('createSource')).toEqual([
      { workspaceId: server.workspaceId, name: 'owner', role: 'OWNER' },
      {
        name: 'shop',
        database: { kind: 'POSTGRESQL', url: 'postgresql://app:pa55@db:5432/shop' },
        excludedTables: [{ schema: 'public', name: 'cache' }],
        clearedColumns: [],
        trees: [{ name: 'uploads', path: '/srv/uploads', include: [], exclude: ['*.tmp'] }],
        configTrees: [],
        envFile: { path: '/srv/.env', restorePath: null },
        drill: { url: null, onOwnServer: false },
      },
    ]);
  });

  test.each([
    ['name', { name: ' ' }, 'name: must not be empty'],
    ['name', { name: 'a\u0007b' }, 'name: must not contain control characters'],
    ['trees.0.path', { name: 'x', trees: [{ name: 't', path: '' }] }, 'trees.0.path: must not be empty'],
  ])('refuses a bad %s by its name', async (field, input, message) => {
    expect(await mutate('createSource', input, 'source { id }')).toEqual({
      __typename: 'InvalidInputError',
      code: 'INVALID_INPUT',
      message,
      hint: null,
      field,
    });
  });

  test('takes one kind of database, not two', async () => {
    const { errors } = await server.ask(
      'mutation ($input: CreateSourceInput!) { createSource(input: $input) { __typename } }',
      { input: { name: 'two', database: { sqlite: { path: '/a' }, postgresql: { url: 'b' } } } },
    );
    expect(errors?.[0]?.message).toMatch(/[Ee]xactly one/);
  });
});

describe('updateSource', () => {
  test('changes what is given, keeps what is not, and takes away what is null', async () => {
    const source = await addSource(server, 'to-update');
    await mutate(
      'updateSource',
      { sourceId: source.globalId, name: 'updated', excludedTables: null, envFile: null },
      'source { id }',
    );
    const change = { name: 'updated', excludedTables: [], envFile: null };
    expect(lastCall('updateSource')?.slice(1)).toEqual([source.id, change]);
    const { data } = await server.ask(
      `{ source(id: "${source.globalId}") {
        name database { label } excludedTables { name } trees { name } envFile { path }
      } }`,
    );
    expect(data).toEqual({
      source: {
        name: 'updated',
        database: { label: 'db.example:5433/shop' },
        excludedTables: [],
        trees: [{ name: 'uploads' }],
        envFile: null,
      },
    });
  });
});

test('testSource tells what would be backed up', async () => {
  const source = await addSource(server, 'to-test');
  const answer = await mutate(
    'testSource',
    { sourceId: source.globalId },
    'report { database { kind tables { name rowEstimate columns { name } } } trees { area files bytes } leftOut { name reason } }',
  );
  expect(answer).toEqual({
    __typename: 'TestSourcePayload',
    report: {
      database: {
        kind: 'SQLITE',
        tables: [{ name: 'customers', rowEstimate: '3', columns: [{ name: 'id' }] }],
      },
      trees: [{ area: 'FILES', files: '2', bytes: '20' }],
      leftOut: [{ name: 'v_customers', reason: 'a view holds no rows' }],
    },
  });
});

test('deleteSource deletes, and says NOT_FOUND the second time', async () => {
  const { globalId } = await addSource(server, 'to-delete');
  expect(await mutate('deleteSource', { sourceId: globalId }, 'deletedSourceId')).toEqual({
    __typename: 'DeleteSourcePayload',
    deletedSourceId: globalId,
  });
  expect(await mutate('deleteSource', { sourceId: globalId }, 'deletedSourceId')).toMatchObject({
    __typename: 'NotFoundError',
    code: 'NOT_FOUND',
  });
});

describe('createBackup', () => {
  test('answers the queued record at once, with its source', async () => {
    const source = await addSource(server, 'to-back-up');
    const answer = await mutate(
      'createBackup',
      { sourceId: source.globalId, selection: { tables: [{ name: 'customers' }], envFile: true } },
      'record { kind status requestedBy source { name } backup { name } }',
    );
    expect(answer).toEqual({
      __typename: 'CreateBackupPayload',
      record: {
        kind: 'CREATE',
        status: 'QUEUED',
        requestedBy: 'owner',
        source: { name: 'to-back-up' },
        backup: null,
      },
    });
    expect(lastCall('createBackup')?.[1]).toEqual({
      sourceId: source.id,
      selection: {
        database: true,
        tables: [{ schema: null, name: 'customers' }],
        trees: null,
        configTrees: null,
        envFile: true,
      },
      compression: 'DEFLATE_1',
      leaveOutUnreadable: false,
    });
  });

  test('refuses the id of something else', async () => {
    const backup = await addBackup(server);
    expect(await mutate('createBackup', { sourceId: backup.globalId }, 'record { id }')).toMatchObject({
      __typename: 'NotFoundError',
      message: 'There is no source with this id.',
    });
  });
});

describe('restoreBackup', () => {
  test('is careful unless told otherwise', async () => {
    const source = await addSource(server, 'to-restore');
    const backup = await addBackup(server, { sourceId: source.id });
    const answer = await mutate(
      'restoreBackup',
      { bundle: { backupId: backup.globalId } },
      'record { kind source { name } backup { name } }',
    );
    expect(answer).toEqual({
      __typename: 'RestoreBackupPayload',
      record: { kind: 'RESTORE', source: { name: 'to-restore' }, backup: { name: backup.name } },
    });
    expect(lastCall('restoreBackup')?.[1]).toEqual({
      bundle: { backupId: backup.id },
      sourceId: null,
      trustUnknownSigner: false,
      selection: { database: true, tables: null, trees: null, configTrees: null, envFile: false },
      onDrift: 'REFUSE',
      planHash: null,
      dryRun: false,
      preRestoreBackup: 'REQUIRED',
      allowForeignSource: false,
      endSessions: false,
      lockTimeoutMs: 10_000,
      overwriteEnvFile: false,
    });
  });

  test.each([
    ['LOCK_HELD', 'LockHeldError'],
    ['SOURCE_BUSY', 'SourceUnavailableError'],
    ['FORMAT_TOO_NEW', 'BundleError'],
    ['INVALID_CHECKSUM', 'BundleError'],
    ['NO_OP_RESTORE', 'RestoreRefusedError'],
    ['PLAN_CHANGED', 'RestoreRefusedError'],
    ['STORAGE_FULL', 'StorageError'],
    ['UNSAFE_PATH', 'InvalidInputError'],
  ] as const)('answers %s as %s', async (code, typename) => {
    const backup = await addBackup(server);
    const restore = server.engine.restoreBackup;
    server.engine.restoreBackup = async () => {
      throw new HoldfastError(code, `refused: ${code}`, { hint: 'do this' });
    };
    const answer = await mutate('restoreBackup', { bundle: { backupId: backup.globalId } }, 'record { id }');
    server.engine.restoreBackup = restore;
    expect(answer).toMatchObject({
      __typename: typename,
      code,
      message: `refused: ${code}`,
      hint: 'do this',
    });
  });

  test.each([0, 600_001])('refuses a lock timeout of %d ms', async (lockTimeoutMs) => {
    const backup = await addBackup(server);
    const input = { bundle: { backupId: backup.globalId }, lockTimeoutMs };
    expect(await mutate('restoreBackup', input, 'record { id }')).toMatchObject({
      __typename: 'InvalidInputError',
      field: 'lockTimeoutMs',
    });
  });
});

describe('rotateBackups', () => {
  test('tells of each backup and why; a dry run has no record', async () => {
    const source = await addSource(server, 'to-rotate');
    const older = await addBackup(server, { sourceId: source.id });
    const newer = await addBackup(server, { sourceId: source.id });
    const answer = await mutate(
      'rotateBackups',
      { sourceId: source.globalId, keepLast: 1, dryRun: true },
      'verdicts { name keep reason backup { id } } record { id }',
    );
    expect(answer).toEqual({
      __typename: 'RotateBackupsPayload',
      verdicts: [
        { name: newer.name, keep: true, reason: 'the newest', backup: { id: newer.globalId } },
        { name: older.name, keep: false, reason: 'no rule keeps it', backup: { id: older.globalId } },
      ],
      record: null,
    });
    expect(lastCall('rotateBackups')?.[1]).toEqual({
      sourceId: source.id,
      policy: { keepLast: 1, keepDays: null },
      dryRun: true,
    });
  });

  test('reads the backups of all verdicts with one query', async () => {
    const count = async (source: string) => {
      const before = server.queries();
      await mutate(
        'rotateBackups',
        { sourceId: source, keepLast: 1, dryRun: true },
        'verdicts { backup { name } }',
      );
      return server.queries() - before;
    };
    const [few, many] = [await addSource(server, 'few'), await addSource(server, 'many')];
    await addBackup(server, { sourceId: few.id });
    for (let index = 0; index < 20; index += 1) await addBackup(server, { sourceId: many.id });
    expect(await count(many.globalId)).toBe(await count(few.globalId));
  });

  test('refuses keepLast: -1', async () => {
    expect(await mutate('rotateBackups', { keepLast: -1 }, 'record { id }')).toMatchObject({
      __typename: 'InvalidInputError',
      code: 'INVALID_INPUT',
      field: 'keepLast',
      message: 'keepLast: must not be negative',
    });
  });
});

test('verifyBackup, pinBackup and deleteBackup act on the backup', async () => {
  const { id, globalId, name } = await addBackup(server);
  expect(
    await mutate('verifyBackup', { backupId: globalId }, 'record { kind backup { name } }'),
  ).toMatchObject({
    record: { kind: 'VERIFY', backup: { name } },
  });
  expect(lastCall('verifyBackup')?.[1]).toEqual({ backupId: id, level: 'CONTENT' });
  await mutate('verifyBackup', { backupId: globalId, level: 'RESTORE' }, 'record { id }');
  expect(lastCall('verifyBackup')?.[1]).toEqual({ backupId: id, level: 'RESTORE' });
  expect(await mutate('pinBackup', { backupId: globalId }, 'backup { pinned }')).toMatchObject({
    backup: { pinned: true },
  });
  expect(await mutate('pinBackup', { backupId: globalId, pinned: false }, 'backup { pinned }')).toMatchObject(
    {
      backup: { pinned: false },
    },
  );
  expect(await mutate('deleteBackup', { backupId: globalId }, 'deletedBackupId')).toMatchObject({
    deletedBackupId: globalId,
  });
  expect(lastCall('deleteBackup')?.[1]).toBe(id);
  expect(await mutate('verifyBackup', { backupId: globalId }, 'record { id }')).toMatchObject({
    __typename: 'NotFoundError',
  });
});

test('cancelRecord cancels what waits', async () => {
  const { globalId } = await addRecord(server);
  expect(await mutate('cancelRecord', { recordId: globalId }, 'record { status }')).toEqual({
    __typename: 'CancelRecordPayload',
    record: { status: 'CANCELED' },
  });
});

describe('decideRestore', () => {
  test('hands the decision to the engine and answers the record', async () => {
    const { id, globalId } = await addRecord(server, { kind: 'RESTORE' });
    const input = { recordId: globalId, targetState: 'WHOLLY_OLD' };
    expect(await mutate('decideRestore', input, 'record { id kind }')).toEqual({
      __typename: 'DecideRestorePayload',
      record: { id: globalId, kind: 'RESTORE' },
    });
    expect(lastCall('decideRestore')?.slice(1)).toEqual([id, 'WHOLLY_OLD']);
  });

  test.each([
    ['INVALID_INPUT', 'InvalidInputError'],
    ['LOCK_HELD', 'LockHeldError'],
  ] as const)('answers %s as %s', async (code, typename) => {
    const { globalId } = await addRecord(server, { kind: 'RESTORE' });
    const decide = server.engine.decideRestore;
    server.engine.decideRestore = async () => {
      throw new HoldfastError(code, 'refused', { hint: 'do this' });
    };
    const input = { recordId: globalId, targetState: 'WHOLLY_NEW' };
    const answer = await mutate('decideRestore', input, 'record { id }');
    server.engine.decideRestore = decide;
    expect(answer).toMatchObject({ __typename: typename, code, message: 'refused', hint: 'do this' });
  });

  test('is for owners: an administrator is refused', async () => {
    const { globalId } = await addRecord(server, { kind: 'RESTORE' });
    const before = server.engine.calls.length;
    const { data } = await server.ask(
      `mutation ($id: ID!) { decideRestore(input: { recordId: $id, targetState: WHOLLY_OLD }) {
        __typename ... on UserError { code } } }`,
      { id: globalId },
      server.keys.ADMIN,
    );
    expect(data).toEqual({ decideRestore: { __typename: 'ForbiddenError', code: 'FORBIDDEN' } });
    expect(server.engine.calls).toHaveLength(before);
  });

  test('a restore says who decided it, and null when nobody had to', async () => {
    const result = {
      kind: 'RESTORE' as const,
      targetState: 'WHOLLY_NEW' as const,
      dryRun: false,
      rolledBack: false,
      proven: true,
      rowsRestored: 1,
      filesRestored: 0,
      tables: [],
      trees: [],
      envFileRestored: false,
      preRestoreBackupId: null,
    };
    const query = '{ record(id: "%") { result { ... on RestoreResult { targetState decidedBy } } } }';
    for (const decidedBy of ['Grace', null]) {
      const { id, globalId } = await addRecord(server, { kind: 'RESTORE' });
      await server.opened.prisma.record.update({
        where: { id },
        data: { result: decidedBy === null ? result : { ...result, decidedBy } },
      });
      expect((await server.ask(query.replace('%', globalId))).data).toEqual({
        record: { result: { targetState: 'WHOLLY_NEW', decidedBy } },
      });
    }
  });
});

test('importBackup refuses an upload that is not there', async () => {
  const uploadId = encodeGlobalId('Upload', '00000000-0000-0000-0000-000000000000');
  expect(await mutate('importBackup', { uploadId }, 'record { id }')).toMatchObject({
    __typename: 'NotFoundError',
  });
});

describe('faults of our own', () => {
  test('are masked, with an id that stands in the log', async () => {
    const source = await addSource(server, 'faulty');
    const create = server.engine.createBackup;
    server.engine.createBackup = async () => {
      throw new Error('password=hunter2 leaked from /secret/place');
    };
    const { data, errors } = await server.ask(
      'mutation ($id: ID!) { createBackup(input: { sourceId: $id }) { __typename } }',
      { id: source.globalId },
    );
    server.engine.createBackup = create;
    expect(data).toBeNull();
    expect(errors).toEqual([
      expect.objectContaining({
        message: expect.stringMatching(/^Something went wrong inside Holdfast \(error [0-9a-f-]{36}\)\.$/),
        path: ['createBackup'],
        extensions: { code: 'INTERNAL', hint: expect.stringContaining('log') },
      }),
    ]);
    const errorId = /[0-9a-f-]{36}/.exec(errors?.[0]?.message ?? '')?.[0];
    expect(server.log.find((line) => line['errorId'] === errorId)).toMatchObject({
      msg: 'internal error',
      err: { message: expect.stringContaining('hunter2') },
    });
  });

  test('a refusal that no result has a type for is an error with its code', async () => {
    const source = await addSource(server, 'full');
    const create = server.engine.createBackup;
    server.engine.createBackup = async () => {
      throw new HoldfastError('STORAGE_FULL', 'No room is left.', { hint: 'Make room.' });
    };
    const { errors } = await server.ask(
      'mutation ($id: ID!) { createBackup(input: { sourceId: $id }) { __typename } }',
      { id: source.globalId },
    );
    server.engine.createBackup = create;
    expect(errors?.[0]).toMatchObject({
      message: 'No room is left.',
      extensions: { code: 'STORAGE_FULL', hint: 'Make room.' },
    });
  });
});

describe('how a backup is sealed and opened', () => {
  let source: { globalId: string };
  let backup: { globalId: string };
  beforeAll(async () => {
    source = await addSource(server, 'sealed');
    backup = await addBackup(server);
  });

  const create = (encryption: object) =>
    mutate('createBackup', { sourceId: source.globalId, encryption }, 'record { status }');

  test.each([
    [{ mode: 'NONE' }],
    [{ mode: 'KEY' }],
    [{ mode: 'PASSPHRASE', passphrase: 'a long passphrase' }],
    [{ mode: 'RECIPIENT', recipients: ['age1x'] }],
  ])('%o reaches the engine as it is', async (encryption) => {
    expect(await create(encryption)).toMatchObject({ __typename: 'CreateBackupPayload' });
    expect(lastCall('createBackup')?.[1]).toMatchObject({ encryption });
  });

  test.each([
    [{ mode: 'KEY', passphrase: 'a long passphrase' }, 'encryption.passphrase'],
    [{ mode: 'RECIPIENT', recipients: ['age1x'], passphrase: 'a long passphrase' }, 'encryption.passphrase'],
    [{ mode: 'PASSPHRASE' }, 'encryption.passphrase'],
    [{ mode: 'NONE', recipients: [] }, 'encryption.recipients'],
    [{ mode: 'RECIPIENT' }, 'encryption.recipients'],
  ])('%o is refused by the name of the field', async (encryption, field) => {
    const calls = server.engine.calls.length;
    expect(await create(encryption)).toMatchObject({ __typename: 'InvalidInputError', field });
    expect(server.engine.calls).toHaveLength(calls);
  });

  test('what opens a bundle is handed to every verb that reads one', async () => {
    const unlock = { passphrase: 'a long passphrase', identities: ['AGE-SECRET-KEY-1X'] };
    await mutate('verifyBackup', { backupId: backup.globalId, unlock }, 'record { id }');
    expect(lastCall('verifyBackup')?.[1]).toMatchObject({ unlock });
    await mutate(
      'restoreBackup',
      { bundle: { backupId: backup.globalId }, sourceId: source.globalId, unlock, trustUnknownSigner: true },
      'record { id }',
    );
    expect(lastCall('restoreBackup')?.[1]).toMatchObject({ unlock, trustUnknownSigner: true });
    await server.ask(
      `query ($id: ID!, $sourceId: ID!, $unlock: UnlockInput) {
        restorePlan(input: { bundle: { backupId: $id }, sourceId: $sourceId, unlock: $unlock }) { __typename }
        backup(id: $id) { table(schema: "public", name: "customers") { rows(unlock: $unlock) { totalCount } } }
      }`,
      { id: backup.globalId, sourceId: source.globalId, unlock },
    );
    expect(lastCall('restorePlan')?.[1]).toMatchObject({ unlock });
    expect(lastCall('readRows')?.[5]).toEqual(unlock);
  });

  test.each([
    ['a field that is not known', { mode: 'PASSPHRASE', passphrase: 's3cret; found: x', wrong: 1 }],
    ['a list', { mode: 'PASSPHRASE', passphrase: ['s3cret'] }],
    ['no object', 's3cret'],
    ['a passphrase in the place of the mode', { mode: 's3cret' }],
    ['one with a semicolon there', { mode: 'it is; s3cret' }],
    ['a field whose name has a typing error', { mode: 'PASSPHRASE', passphrases: 's3cret' }],
    ['a typing error beside it', { mode: 'PASSPHRASE', passphrase: 's3cret', recipient: [] }],
  ])('an answer about %s does not repeat the passphrase', async (_what, encryption) => {
    const operation = 'mutation ($input: CreateBackupInput!) { createBackup(input: $input) { __typename } }';
    const byVariable = await server.ask(operation, { input: { sourceId: source.globalId, encryption } });
    const literal = JSON.stringify(encryption)
      .replaceAll(/"(\w+)":/g, '$1:')
      .replace('"PASSPHRASE"', 'PASSPHRASE');
    const inline = await server.ask(
      `mutation { createBackup(input: { sourceId: "x", encryption: ${literal} }) { __typename } }`,
    );
    for (const { errors } of [byVariable, inline]) {
      expect(errors?.[0]?.message).toMatch(/Encryption(Input|Mode)|String/);
      expect(JSON.stringify(errors)).not.toContain('s3cret');
    }
    expect(JSON.stringify(server.log)).not.toContain('s3cret');
  });

  test('an answer about an operation that is malformed does not repeat its strings', async () => {
    for (const more of ['"s3cret"', '"""s3cret"""']) {
      const { errors } = await server.ask(
        `mutation { createBackup(input: { encryption: { passphrase: "x" ${more} } }) { __typename } }`,
      );
      expect(errors?.[0]?.message).toMatch(/^Syntax Error: /);
      expect(JSON.stringify(errors)).not.toContain('s3cret');
    }
  });
});

describe('keys and signers', () => {
  test('a key is rotated, and both are listed without the keys themselves', async () => {
    const rotated = await mutate('rotateEncryptionKey', {}, 'key { id createdAt retiredAt }');
    const again = await mutate('rotateEncryptionKey', {}, 'key { id }');
    const { data } = await server.ask('{ encryptionKeys { id retiredAt } }');
    expect(data).toMatchObject({
      encryptionKeys: [
        { id: (rotated as { key: { id: string } }).key.id, retiredAt: expect.any(String) },
        { id: (again as { key: { id: string } }).key.id, retiredAt: null },
      ],
    });
  });

  test('a signer is trusted, shown on its backups, and distrusted', async () => {
    const publicKey = Buffer.alloc(32, 11).toString('base64');
    const fingerprint = '0b'.repeat(32);
    const signature = { algorithm: 'Ed25519' as const, publicKey, fingerprint, value: `${'A'.repeat(86)}==` };
    const backup = await addBackup(server, { manifest: { ...aManifest(), signature } });
    const own = await addBackup(server, {
      manifest: { ...aManifest(), signature: { ...signature, ...server.engine.signer } },
    });
    const stateOf = async (id: string) =>
      (await server.ask('query ($id: ID!) { backup(id: $id) { signature { state } } }', { id })).data;
    expect(await stateOf(own.globalId)).toEqual({ backup: { signature: { state: 'OWN' } } });
    expect(await stateOf(backup.globalId)).toEqual({ backup: { signature: { state: 'UNKNOWN' } } });
    await mutate('trustSigner', { publicKey, name: 'other' }, 'signer { id }');
    expect(await stateOf(backup.globalId)).toEqual({ backup: { signature: { state: 'TRUSTED' } } });
    const { data } = await server.ask(
      '{ trustedSigners { id name fingerprint } settings { signer { fingerprint } } }',
    );
    const { trustedSigners, settings } = data as unknown as {
      trustedSigners: { id: string }[];
      settings: unknown;
    };
    expect(trustedSigners).toMatchObject([{ name: 'other', fingerprint }]);
    expect(settings).toEqual({ signer: { fingerprint: server.engine.signer.fingerprint } });
    const signerId = trustedSigners[0]?.id;
    expect(await mutate('distrustSigner', { signerId }, 'deletedSignerId')).toMatchObject({
      deletedSignerId: signerId,
    });
    expect(await mutate('distrustSigner', { signerId }, 'deletedSignerId')).toMatchObject({
      code: 'NOT_FOUND',
    });
    expect(await stateOf(backup.globalId)).toEqual({ backup: { signature: { state: 'UNKNOWN' } } });
  });

  test.each([
    ['rotateEncryptionKey(input: {})'],
    ['trustSigner(input: { publicKey: "x", name: "x" })'],
    ['distrustSigner(input: { signerId: "x" })'],
  ])('%s needs an OWNER', async (field) => {
    const { data } = await server.ask(
      `mutation { ${field} { ... on UserError { code } } }`,
      {},
      server.keys.ADMIN,
    );
    expect(Object.values(data ?? {})).toEqual([{ code: 'FORBIDDEN' }]);
  });
});
