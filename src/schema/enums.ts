/** Enums that more than one type uses. */
import { builder } from './builder.ts';

export const RoleEnum = builder.enumType('Role', {
  description: 'What a member may do. Each role may do all that the one before it may.',
  values: {
    VIEWER: { description: 'Sees metadata.' },
    OPERATOR: { description: 'Makes, verifies and pins backups; runs self-tests; cancels records.' },
    ADMIN: { description: 'Manages sources; restores, rotates, deletes, imports and downloads backups.' },
    OWNER: {
      description:
        'Everything; decides restores whose database cannot be asked, and which signers are trusted; rotates keys.',
    },
  } as const,
});

export const DatabaseKindEnum = builder.enumType('DatabaseKind', {
  description: 'The kinds of database a source can have.',
  values: {
    SQLITE: { description: 'An SQLite file.' },
    POSTGRESQL: { description: 'A PostgreSQL database.' },
    MARIADB: { description: 'A MariaDB or MySQL database.' },
  } as const,
});

export const TriggerEnum = builder.enumType('Trigger', {
  description: 'Why a record or backup came to be.',
  values: {
    MANUAL: { description: 'Somebody asked for it.' },
    SCHEDULE: { description: 'A schedule fired.' },
    PRE_RESTORE: { description: 'Made of the target before a restore.' },
  } as const,
});

export const VerdictEnum = builder.enumType('Verdict', {
  description: 'What a verification found.',
  values: {
    PASSED: { description: 'Everything matches its checksum, size and count.' },
    FAILED: { description: 'Something does not.' },
    UNPROVEN: {
      description: 'Nothing wrong was found, but the content could not be looked at: its key is not held.',
    },
  } as const,
});

export const VerifyLevelEnum = builder.enumType('VerifyLevel', {
  description: 'How deep a verification looks; each level includes those before it.',
  values: {
    CHECKSUM: { description: 'The file against the size and SHA-256 in the catalog.' },
    CONTENT: { description: 'Every entry of the bundle: CRC, SHA-256, size, form and number of rows.' },
    RESTORE: {
      description:
        'A drill: restored into a scratch database and a scratch directory, which are removed afterwards, and compared row by row and file by file.',
    },
  } as const,
});

export const TreeAreaEnum = builder.enumType('TreeArea', {
  description: 'The two areas that hold file trees.',
  values: {
    FILES: { value: 'files', description: 'File trees.' },
    CONFIG: { value: 'config', description: 'Configuration directories.' },
  } as const,
});

export const OrderDirectionEnum = builder.enumType('OrderDirection', {
  description: 'Which way a list runs.',
  values: {
    ASC: { value: 'asc', description: 'Smallest, oldest or first in the alphabet first.' },
    DESC: { value: 'desc', description: 'Largest, newest or last in the alphabet first.' },
  } as const,
});

export const CompressionEnum = builder.enumType('Compression', {
  description: 'How the content of a bundle is compressed. What does not get smaller is stored as it is.',
  values: {
    DEFLATE_1: { description: 'Deflate at level 1: fast, and every tool opens it.' },
    DEFLATE_6: { description: 'Deflate at level 6: smaller, several times slower.' },
    STORE: { description: 'Not at all, for storage that compresses by itself.' },
    ZSTD: { description: 'Zstandard: fastest and small; bsdtar and 7-Zip open it, unzip does not.' },
  } as const,
});
