/** Generates the typed documents of client/sdk from schema.graphql and the committed operations. */
import type { CodegenConfig } from '@graphql-codegen/cli';
import { preset } from '@graphql-codegen/client-preset';

/**
 * The client preset without its `graphql()` lookup table: the operations are files of their own, so the table
 * would only ship each of them a second and third time.
 */
const documentsOnly: typeof preset = {
  ...preset,
  buildGeneratesSection: async (options) => {
    const files = await preset.buildGeneratesSection(options);
    return files.filter(({ filename }) => filename.endsWith('/graphql.ts'));
  },
};

const config: CodegenConfig = {
  schema: 'schema.graphql',
  documents: ['client/sdk/operations/*.graphql'],
  generates: {
    'client/sdk/generated/': {
      preset: documentsOnly,
      presetConfig: { fragmentMasking: false, skipIndexFile: true },
      config: {
        documentMode: 'string',
        enumsAsTypes: true,
        strictScalars: true,
        useTypeImports: true,
        importExtension: '.ts',
        scalars: { ID: 'string', DateTime: 'string', BigInt: 'string', JSON: 'unknown' },
      },
    },
  },
};

export default config;
