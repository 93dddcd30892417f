/** The application's own database: an agent platform with skills, their versions, and what agents did with them. */
import Database from 'better-sqlite3';
import { Random } from './random.ts';

/** Parents after children on purpose: the order tables are backed up in has to come from the keys. */
const SCHEMA = `
CREATE TABLE traces (
  id INTEGER PRIMARY KEY,
  session_id INTEGER NOT NULL REFERENCES sessions(id),
  parent_id INTEGER REFERENCES traces(id),
  span INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('thought', 'tool', 'answer')),
  payload TEXT NOT NULL,
  seconds REAL NOT NULL
);
CREATE INDEX traces_by_session ON traces(session_id);
CREATE TABLE sessions (
  id INTEGER PRIMARY KEY,
  agent_preset_id INTEGER NOT NULL REFERENCES agent_presets(id),
  started_at TEXT NOT NULL,
  ended_at TEXT,
  cost NUMERIC NOT NULL
);
CREATE TABLE agent_presets (
  id INTEGER PRIMARY KEY,
  skill_id INTEGER NOT NULL REFERENCES skills(id),
  name TEXT NOT NULL UNIQUE,
  settings TEXT NOT NULL
);
CREATE TABLE changelogs (
  id INTEGER PRIMARY KEY,
  version_id INTEGER NOT NULL REFERENCES skill_versions(id),
  entry TEXT NOT NULL
);
CREATE TABLE skill_tests (
  id INTEGER PRIMARY KEY,
  version_id INTEGER NOT NULL REFERENCES skill_versions(id),
  name TEXT NOT NULL,
  passed INTEGER
);
CREATE TABLE skill_files (
  version_id INTEGER NOT NULL REFERENCES skill_versions(id),
  path TEXT NOT NULL,
  content TEXT NOT NULL,
  digest BLOB NOT NULL,
  PRIMARY KEY (version_id, path)
) WITHOUT ROWID;
CREATE TABLE skill_versions (
  id INTEGER PRIMARY KEY,
  skill_id INTEGER NOT NULL REFERENCES skills(id),
  number INTEGER NOT NULL,
  UNIQUE (skill_id, number)
);
CREATE TABLE skills (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  description TEXT,
  current_version_id INTEGER REFERENCES skill_versions(id)
);
`;

/** Rows of each table for every thousand rows of the database. */
const SHARE = {
  skills: 8,
  skill_versions: 40,
  skill_files: 160,
  skill_tests: 80,
  changelogs: 40,
  agent_presets: 2,
  sessions: 70,
  traces: 600,
} as const;

const START = Date.UTC(2026, 0, 1);
const timestamp = (minutes: number): string => new Date(START + minutes * 60_000).toISOString();

type Counts = Readonly<Record<keyof typeof SHARE, number>>;

function countsFor(rows: number): Counts {
  const count = (table: keyof typeof SHARE): number => Math.max(1, Math.round((rows * SHARE[table]) / 1000));
  return {
    skills: count('skills'),
    skill_versions: count('skill_versions'),
    skill_files: count('skill_files'),
    skill_tests: count('skill_tests'),
    changelogs: count('changelogs'),
    agent_presets: count('agent_presets'),
    sessions: count('sessions'),
    traces: count('traces'),
  };
}

/** Runs one INSERT for each number from 1 to `count`. */
function insertEach(
  database: Database.Database,
  sql: string,
  count: number,
  row: (number: number) => readonly unknown[],
): void {
  const insert = database.prepare(sql);
  for (let number = 1; number <= count; number++) insert.run(...row(number));
}

function fillSkills(database: Database.Database, random: Random, counts: Counts): void {
  const version = () => random.integer(1, counts.skill_versions);
  insertEach(database, 'INSERT INTO skills VALUES (?, ?, ?, NULL)', counts.skills, (id) => [
    id,
    `${random.pick(['review', 'deploy', 'search', 'write', 'plan'])}-${id}`,
    random.chance(0.1) ? null : random.words(12),
  ]);
  insertEach(database, 'INSERT INTO skill_versions VALUES (?, ?, ?)', counts.skill_versions, (id) => [
    id,
    ((id - 1) % counts.skills) + 1,
    Math.ceil(id / counts.skills),
  ]);
  database.exec(
    'UPDATE skills SET current_version_id = (SELECT max(id) FROM skill_versions WHERE skill_id = skills.id)',
  );
  insertEach(database, 'INSERT INTO skill_files VALUES (?, ?, ?, ?)', counts.skill_files, (number) => [
    ((number - 1) % counts.skill_versions) + 1,
    `scripts/step-${Math.ceil(number / counts.skill_versions)}.ts`,
    random.words(random.integer(20, 80)),
    random.bytes(32),
  ]);
  insertEach(database, 'INSERT INTO skill_tests VALUES (?, ?, ?, ?)', counts.skill_tests, (id) => [
    id,
    version(),
    random.words(4),
    random.chance(0.05) ? null : Number(random.chance(0.9)),
  ]);
  insertEach(database, 'INSERT INTO changelogs VALUES (?, ?, ?)', counts.changelogs, (id) => [
    id,
    version(),
    random.words(9),
  ]);
}

function fillSessions(database: Database.Database, random: Random, counts: Counts): void {
  insertEach(database, 'INSERT INTO agent_presets VALUES (?, ?, ?, ?)', counts.agent_presets, (id) => [
    id,
    random.integer(1, counts.skills),
    `preset-${id}`,
    JSON.stringify({ temperature: random.next(), tools: ['read', 'write'], note: random.words(3) }),
  ]);
  insertEach(database, 'INSERT INTO sessions VALUES (?, ?, ?, ?, ?)', counts.sessions, (id) => [
    id,
    random.integer(1, counts.agent_presets),
    timestamp(id * 7),
    random.chance(0.02) ? null : timestamp(id * 7 + random.integer(1, 90)),
    random.integer(1, 500) / 100,
  ]);
  insertEach(database, 'INSERT INTO traces VALUES (?, ?, ?, ?, ?, ?, ?)', counts.traces, (id) => [
    id,
    random.integer(1, counts.sessions),
    id === 1 || random.chance(0.2) ? null : random.integer(1, id - 1),
    random.bigInteger(),
    random.pick(['thought', 'tool', 'answer']),
    JSON.stringify({ step: id, text: random.words(random.integer(5, 25)) }),
    random.next() * 30,
  ]);
}

/** Creates the database file with about `rows` rows in eight tables. */
export function createApplicationDatabase(path: string, rows: number): void {
  const database = new Database(path);
  try {
    database.exec(SCHEMA);
    const random = new Random(20260131);
    const counts = countsFor(rows);
    database.transaction(() => {
      fillSkills(database, random, counts);
      fillSessions(database, random, counts);
    })();
  } finally {
    database.close();
  }
}

/** What a bad deployment does to the database, in words; everything stays valid to the database itself. */
export function damageDatabase(path: string): string[] {
  const database = new Database(path);
  const done: string[] = [];
  const damage = (what: string, sql: string): void => {
    const { changes } = database.prepare(sql).run();
    done.push(`${what}: ${changes.toLocaleString('en')} rows`);
  };
  try {
    database.transaction(() => {
      damage('changelogs emptied', 'DELETE FROM changelogs');
      damage('test results flipped in skill_tests', 'UPDATE skill_tests SET passed = 1 - passed');
      damage('files lost from skill_files', 'DELETE FROM skill_files WHERE version_id % 3 = 0');
      damage('answers overwritten in traces', `UPDATE traces SET payload = '{}' WHERE kind = 'answer'`);
      damage('spans off by one in traces', 'UPDATE traces SET span = span + 1 WHERE id % 5 = 0');
      damage(
        'made-up rows in skills',
        `INSERT INTO skills (name) SELECT 'ghost-' || value FROM json_each('[1,2,3]')`,
      );
    })();
  } finally {
    database.close();
  }
  return done;
}
