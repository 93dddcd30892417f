import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { openSqlite } from '../../../../src/source/database/sqlite/sqlite.ts';
import {
  contentOf,
  inDatabase,
  putBack,
  takeBackup,
  temporaryDirectory,
} from '../../../support/sqlite-database.ts';

const chinook = fileURLToPath(new URL('../../../../../shared/data/chinook.sqlite', import.meta.url));

describe.skipIf(!existsSync(chinook))(
  'Chinook (skipped when ../shared/data/chinook.sqlite is not there)',
  () => {
    test('is wrecked, restored, and every value is what it was', async () => {
      const path = join(temporaryDirectory(), 'chinook.sqlite');
      copyFileSync(chinook, path);
      const before = contentOf(path);
      const database = openSqlite(path);
      const taken = await takeBackup(database);
      inDatabase(path, (db) => {
        db.exec(
          "PRAGMA foreign_keys = OFF; DELETE FROM Track WHERE TrackId % 2; UPDATE Artist SET Name = 'nobody'; DELETE FROM PlaylistTrack",
        );
      });
      await putBack(database, taken);
      expect(contentOf(path)).toEqual(before);
    });
  },
);
