/** What the server is set up to do. */
import { FORMAT_VERSION, OLDEST_FORMAT_VERSION } from '../bundle/manifest.ts';
import { builder } from './builder.ts';
import type { ServerSettings } from './context.ts';
import { InstanceSignerType } from './signers.ts';

const SettingsType = builder.objectRef<ServerSettings>('Settings').implement({
  description: 'What the server is set up to do.',
  fields: (t) => ({
    serverVersion: t.exposeString('version', { description: 'The version of the running Holdfast.' }),
    publicUrl: t.exposeString('publicUrl', { description: 'Where clients reach the server.' }),
    formatVersion: t.int({
      description: 'The version of the bundles it writes.',
      resolve: () => FORMAT_VERSION,
    }),
    oldestFormatVersion: t.int({
      description: 'The oldest version of bundles it still reads.',
      resolve: () => OLDEST_FORMAT_VERSION,
    }),
    uploadLimitBytes: t.field({
      type: 'BigInt',
      description: 'How large one upload may be.',
      resolve: (settings) => settings.uploadLimitBytes,
    }),
    signer: t.field({
      type: InstanceSignerType,
      description: 'The key that signs every bundle made here.',
      resolve: (_settings, _args, { engine }) => engine.signer,
    }),
    roots: t.exposeStringList('roots', {
      description: 'The directories that the paths of sources must lie in.',
    }),
  }),
});

builder.queryField('settings', (t) =>
  t.field({
    type: SettingsType,
    description: 'What the server is set up to do.',
    resolve: (_root, _args, context) => context.settings,
  }),
);
