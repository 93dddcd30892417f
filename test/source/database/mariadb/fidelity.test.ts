import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { openMariadb } from '../../../../src/source/database/mariadb/mariadb.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/mariadb-database.ts';
import { contents, counters, putBack, take } from '../../../support/mariadb-round-trip.ts';

const serverUrl = inject('mariadbUrl');

/** Every code point that text can hold, in rows of 1,000. */
function everyCharacter(): string[] {
  const rows: string[] = [];
  let row = '';
  for (let code = 0; code <= 0x10ffff; code += 1) {
    if (code >= 0xd800 && code <= 0xdfff) continue;
    // Beyond the first planes a sample will do.
    if (code > 0x30000 && code % 97 !== 0) continue;
    row += String.fromCodePoint(code);
    if (row.length >= 1_000) {
      rows.push(row);
      row = '';
    }
  }
  return [...rows, row];
}

describe.skipIf(serverUrl === null)('values that pass through row lines', () => {
  let database: TestDatabase;
  const odd = "Ev\"ery `Type` '书' ./\\ x";
  beforeAll(async () => {
    database = await createTestDatabase(serverUrl ?? '');
    await database.execute(
      `SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'`,
      `CREATE TABLE numbers (
         id INT AUTO_INCREMENT PRIMARY KEY, t TINYINT, s SMALLINT UNSIGNED, m MEDIUMINT, i INT(7) ZEROFILL,
         b BIGINT, u BIGINT UNSIGNED, uz BIGINT(20) UNSIGNED ZEROFILL, d DECIMAL(65, 30), dz DECIMAL(20, 5) ZEROFILL,
         f FLOAT, fd FLOAT(7, 2), g DOUBLE, gd DOUBLE(20, 3), bo BOOLEAN, b1 BIT, b7 BIT(7), b64 BIT(64))`,
      `INSERT INTO numbers VALUES
         (0, -128, 65535, -8388608, 42, -9223372036854775808, 18446744073709551615, 7,
          -12345678901234567890123456789012345.123456789012345678901234567890, 1.5, 0.1, 12345.67, 0.1, 12345678901.123,
          TRUE, b'1', b'1010101', b'1111111111111111111111111111111111111111111111111111111111111111'),
         (5, 127, 0, 8388607, 0, 9223372036854775807, 0, 0, 0, 0, 3.4028234e38, -0.01, 1.7976931348623157e308, -0.001,
          FALSE, b'0', b'0', 0x0a0d095c00270022),
         (6, 0, 1, 1, 1, 1, 9223372036854775808, 1, 1e-30, 1, '-0', 0, '-0', '-0', 0, 1, 1, 0x8000000000000000),
         (7, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1.17549435e-38, NULL, 4.9e-324, NULL, NULL, NULL, NULL, NULL)`,
      'ALTER TABLE numbers AUTO_INCREMENT = 4711',
      `CREATE TABLE times (
         d DATE, dt DATETIME, dt6 DATETIME(6), ts TIMESTAMP NULL, ts3 TIMESTAMP(3) NULL, t TIME, t6 TIME(6), y YEAR)`,
      `INSERT INTO times VALUES
         ('0000-00-00', '0000-00-00 00:00:00', '0000-00-00 00:00:00', '0000-00-00 00:00:00', '0000-00-00 00:00:00', '00:00:00', '-838:59:59.999999', 0),
         ('2024-00-31', '2024-02-31 23:59:59', '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07', '1970-01-01 00:00:01.001', '838:59:59', '00:00:00.000001', 1901),
         ('0001-01-01', '1000-01-01 00:00:00', '2024-02-29 12:00:00.100000', '2024-03-31 02:30:00', '2024-10-27 02:30:00.5', '-00:00:01', '-00:00:00.5', 2155),
         (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`,
      `CREATE TABLE texts (
         id INT PRIMARY KEY, c CHAR(5), v VARCHAR(200), tt TINYTEXT, t TEXT, mt MEDIUMTEXT, lt LONGTEXT,
         bin BINARY(4), vb VARBINARY(300), bl BLOB, mb MEDIUMBLOB, lb LONGBLOB, j JSON, cb VARCHAR(20) COLLATE utf8mb4_bin,
         e ENUM('a', 'b,c', 'it''s', '', 'ä "q"'), s SET('x', 'y z', 'it''s', 'ü'),
         u UUID, i6 INET6, i4 INET4)`,
      `INSERT INTO texts VALUES
         (1, 'a', 'tab\\t nl\\n cr\\r q" b\\\\ z\\0 x\\Z N\\\\N \\b', '', 'trailing   ', '\\\\N', '\\\\.', '\\0', 0x00ff5c220a090d1a, '', 0x5c, 0xffd8c3,
          '{"a":1,  "a":2, "n":1.00 }', 'B', 'b,c', 'x,it''s', 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6', '::ffff:1.2.3.4', '255.0.0.1'),
         (2, '', '', '', '', '', '', 0x20202020, '', '', '', '', 'null', '', '', '', NULL, NULL, NULL),
         (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`,
      "INSERT INTO texts (id, e, s) VALUES (4, 'no such label', 'ü,y z')",
      `CREATE TABLE places (id INT PRIMARY KEY, g GEOMETRY, p POINT, l LINESTRING, y POLYGON, gc GEOMETRYCOLLECTION)`,
      `INSERT INTO places VALUES
         (1, ST_GeomFromText('POINT(1.5 -0.1)', 4326), POINT(0.1, 1e300), ST_GeomFromText('LINESTRING(0 0, 1 1)', 10),
          ST_GeomFromText('POLYGON((0 0, 4 0, 4 4, 0 0))'), ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1), LINESTRING(0 0, 1 1))')),
         (2, NULL, NULL, NULL, NULL, NULL)`,
      `CREATE TABLE charsets (
         id INT PRIMARY KEY, l1 VARCHAR(300) CHARACTER SET latin1, asc1 VARCHAR(200) CHARACTER SET ascii,
         u2 VARCHAR(50) CHARACTER SET ucs2, u16 TEXT CHARACTER SET utf16, u32 TEXT CHARACTER SET utf32,
         sj LONGTEXT CHARACTER SET sjis, cp TEXT CHARACTER SET cp932, eu TEXT CHARACTER SET eucjpms, gb TEXT CHARACTER SET gbk,
         b5 VARCHAR(50) CHARACTER SET big5, k8 VARCHAR(300) CHARACTER SET koi8r, u3 VARCHAR(20) CHARACTER SET utf8mb3,
         e ENUM('é', 'ÿ') CHARACTER SET latin1)`,
      `INSERT INTO charsets VALUES
         (1, 'é€ÿ', 'plain', '日本', '🎉', '🎉', '日本', '日本', '日本', '中文', '中文', 'Привет', '書', 'ÿ'),
         (2, _latin1 0x${Array.from({ length: 256 }, (_, n) => n.toString(16).padStart(2, '0')).join('')}, '', '', '', '', '', '', '', '', '', '', '', NULL),
         (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`,
      // Two codes for one character (NEC's and IBM's extensions), and a code without a character.
      'INSERT INTO charsets (id, cp, sj) VALUES (4, _cp932 0x8790FA5B81E6, _sjis 0x815C5C7E)',
      'INSERT INTO charsets (id, u2) VALUES (5, _ucs2 0xD83D)',
      `CREATE TABLE \`${odd.replaceAll('`', '``')}\` (\`select\` INT, \`quo"te\` TEXT, \`back\\slash\` TEXT, \`tick\`\`s\` TEXT, \`日本.語/\` TEXT, \`{"key":\` INT, \`new
line\` INT, PRIMARY KEY (\`select\`))`,
      `INSERT INTO \`${odd.replaceAll('`', '``')}\` VALUES (1, 'a', 'b', 'c', 'd', 2, 3)`,
      `CREATE TABLE made (base INT, doubled INT AS (base * 2) STORED, tripled INT AS (base * 3) VIRTUAL, hidden INT INVISIBLE DEFAULT 7, last TEXT)`,
      "INSERT INTO made (base, hidden, last) VALUES (1, 8, 'x'), (NULL, NULL, NULL)",
      'CREATE TABLE versioned (id INT PRIMARY KEY, v TEXT) WITH SYSTEM VERSIONING',
      "INSERT INTO versioned VALUES (1, 'a'), (2, 'b')",
      "UPDATE versioned SET v = 'c' WHERE id = 2",
      'CREATE TABLE only_made (g INT AS (1 + 1) STORED)',
      'INSERT INTO only_made VALUES (), ()',
      'CREATE TABLE nothing (id INT PRIMARY KEY)',
      'CREATE TABLE aria (id INT PRIMARY KEY, v TEXT) ENGINE=Aria',
      "INSERT INTO aria VALUES (1, 'kept')",
      'CREATE TABLE parted (id INT, y INT, PRIMARY KEY (id, y)) PARTITION BY RANGE (y) (PARTITION a VALUES LESS THAN (10), PARTITION b VALUES LESS THAN MAXVALUE)',
      'INSERT INTO parted VALUES (1, 5), (2, 50)',
      'CREATE SEQUENCE ticket START WITH 100 INCREMENT BY 5 NOCACHE',
      'DO NEXTVAL(ticket)',
      'CREATE TABLE characters (id INT AUTO_INCREMENT PRIMARY KEY, v LONGTEXT, t TEXT)',
      'CREATE TABLE floats (id INT AUTO_INCREMENT PRIMARY KEY, f FLOAT, d DOUBLE)',
      'CREATE TABLE bytes (id INT AUTO_INCREMENT PRIMARY KEY, b BLOB, l LONGBLOB)',
    );
    const connection = await database.connect();
    try {
      for (const row of everyCharacter()) {
        await connection.query('INSERT INTO characters (v, t) VALUES (?, ?)', [row, row]);
      }
      for (let n = 0; n < 500; n += 1) {
        const random = randomBytes(12);
        const [f, d] = [random.readFloatLE(0), random.readDoubleLE(4)];
        if (!Number.isFinite(f) || !Number.isFinite(d)) continue;
        await connection.query('INSERT INTO floats (f, d) VALUES (?, ?)', [String(f), String(d)]);
      }
      for (let n = 0; n < 200; n += 1) {
        await connection.query('INSERT INTO bytes (b, l) VALUES (?, ?)', [
          randomBytes(n),
          randomBytes(3 * n),
        ]);
      }
    } finally {
      await connection.end();
    }
  });
  afterAll(() => database?.dispose());

  it('are the same to the last byte after a round trip, for every type', async () => {
    const source = openMariadb(database.url);
    const taken = await take(source);
    const names = taken.tables.map((table) => table.name);
    expect(names).toContain(odd);
    const before = { rows: await contents(database, names), counters: await counters(database) };
    await database.execute(
      'DELETE FROM numbers WHERE id > 4',
      'ALTER TABLE numbers AUTO_INCREMENT = 9000',
      'DELETE FROM times',
      "UPDATE texts SET t = 'changed', bl = 'changed'",
      'DELETE FROM places',
      'DELETE FROM charsets',
      `DELETE FROM \`${odd.replaceAll('`', '``')}\``,
      'DELETE FROM made',
      'DELETE FROM characters',
      'DELETE FROM floats',
      'DELETE FROM bytes',
      'DELETE FROM aria',
      'DELETE FROM parted',
      'DO NEXTVAL(ticket), NEXTVAL(ticket)',
    );
    await putBack(source, taken);
    expect({ rows: await contents(database, names), counters: await counters(database) }).toEqual(before);
    expect((await take(source)).rows).toEqual(taken.rows);
    expect(await database.query('SELECT NEXTVAL(ticket)')).toEqual([['105']]);
  });

  it('are valid JSON, numbers as numbers and everything special as text', async () => {
    const taken = await take(openMariadb(database.url), ['numbers', 'texts', 'times', 'characters']);
    const lines = (name: string) =>
      (taken.rows[taken.tables.findIndex((table) => table.name === name)]?.toString('utf8') ?? '').split(
        '\n',
      );
    expect(lines('numbers')[0]).toContain('"u":18446744073709551615,');
    expect(lines('numbers')[0]).toContain(
      '"d":-12345678901234567890123456789012345.123456789012345678901234567890,',
    );
    expect(lines('numbers')[0]).toContain('"i":42,');
    expect(JSON.parse(lines('texts')[0] ?? '')).toMatchObject({
      v: 'tab\t nl\n cr\r q" b\\ z\0 x\x1a N\\N \b',
      vb: '00FF5C220A090D1A',
      j: '{"a":1,  "a":2, "n":1.00 }',
      e: 'b,c',
      s: "x,it's",
    });
    expect(JSON.parse(lines('times')[0] ?? '')).toMatchObject({ d: '0000-00-00', t6: '-838:59:59.999999' });
    const characters = lines('characters')
      .slice(0, -1)
      .map((line): { v: string; t: string } => JSON.parse(line));
    expect(characters.map(({ v }) => v)).toEqual(everyCharacter());
    expect(characters.map(({ t }) => t)).toEqual(everyCharacter());
  });

  it('keep a 0 in a counting column beside text of any character set', async () => {
    await database.execute(
      "SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'",
      'CREATE TABLE from_zero (id INT AUTO_INCREMENT PRIMARY KEY, t TEXT CHARACTER SET utf16)',
      "INSERT INTO from_zero VALUES (0, 'nought'), (3, 'three')",
    );
    const source = openMariadb(database.url);
    await putBack(source, await take(source, ['from_zero']));
    expect(await database.query('SELECT id FROM from_zero ORDER BY id')).toEqual([['0'], ['3']]);
  });

  it('tells of applied migrations where the tool of the application keeps them', async () => {
    await database.execute(
      'CREATE TABLE flyway_schema_history (installed_rank INT PRIMARY KEY, script VARCHAR(100), success TINYINT(1))',
      "INSERT INTO flyway_schema_history VALUES (2, 'V2__next.sql', 1), (1, 'V1__init.sql', 1), (3, 'V3__failed.sql', 0)",
      'CREATE TABLE django_migrations (id INT PRIMARY KEY, app VARCHAR(50), name VARCHAR(50))',
      "INSERT INTO django_migrations VALUES (1, 'auth', '0001_initial')",
      'CREATE TABLE migrations (unrelated INT)',
    );
    const { appliedMigrations } = await openMariadb(database.url).describe(new AbortController().signal);
    expect(appliedMigrations).toEqual(['V1__init.sql', 'V2__next.sql', 'auth.0001_initial']);
  });

  it('names what is carried in another way than one would expect', async () => {
    const { leftOut } = await openMariadb(database.url).describe(new AbortController().signal);
    expect(leftOut.map(({ name }) => name).sort()).toEqual(['aria (consistency)', 'versioned (history)']);
  });
});
