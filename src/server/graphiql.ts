/** GraphiQL's first tabs, for people who see the API for the first time. */
import type { GraphiQLOptions } from 'graphql-yoga';

const HEADERS = '{ "Authorization": "Bearer <your API key>" }';

const LOOK_AROUND = `# Put your API key into the headers below, then press the play button.
query LookAround {
  viewer { name role }
  settings { serverVersion roots }
  sources(first: 10) { totalCount edges { node { id name database { kind label } } } }
  backups(first: 10) { totalCount edges { node { id name sizeBytes createdAt lastVerification { verdict } } } }
}
`;

const BACK_UP = `# Makes a backup of a source. Take the record's id to the next tab to watch it.
mutation BackUp($sourceId: ID!) {
  createBackup(input: { sourceId: $sourceId }) {
    ... on CreateBackupPayload { record { id status } }
    ... on UserError { code message hint }
  }
}
`;

const WATCH = `# Everything that happens to a record, until it ends.
subscription Watch($recordId: ID!) {
  recordProgress(recordId: $recordId) {
    __typename
    sequence
    record { status progress { fraction rows bytes currentItem etaSeconds } }
    ... on PhaseProgressed { phase { name progress { fraction currentItem } } }
  }
}
`;

const PLAN = `# What a restore of a backup would do. Changes nothing.
query Plan($backupId: ID!) {
  restorePlan(input: { bundle: { backupId: $backupId } }) {
    ... on RestorePlan {
      hash
      tables { name rowsNow rowsInBundle drift }
      trees { name added changed removed }
      warnings
      refusals
    }
    ... on UserError { code message hint }
  }
}
`;

const tab = (query: string, variables?: object) => ({
  query,
  headers: HEADERS,
  variables: variables === undefined ? null : JSON.stringify(variables, null, 2),
});

/** How GraphiQL starts. */
export const graphiqlOptions: GraphiQLOptions = {
  title: 'Holdfast',
  headers: HEADERS,
  defaultQuery: LOOK_AROUND,
  defaultTabs: [
    tab(LOOK_AROUND),
    tab(BACK_UP, { sourceId: '' }),
    tab(WATCH, { recordId: '' }),
    tab(PLAN, { backupId: '' }),
  ],
  subscriptionsProtocol: 'SSE',
};
