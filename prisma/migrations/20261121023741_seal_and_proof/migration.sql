-- CreateTable
CREATE TABLE "Certificate" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "backupId" TEXT NOT NULL,
    "recordId" TEXT,
    "level" TEXT NOT NULL,
    "verdict" TEXT NOT NULL,
    "startedAt" DATETIME NOT NULL,
    "finishedAt" DATETIME NOT NULL,
    "restoreSeconds" REAL,
    "entries" BIGINT NOT NULL,
    "rows" BIGINT NOT NULL,
    "bytes" BIGINT NOT NULL,
    "files" BIGINT NOT NULL,
    "message" TEXT NOT NULL,
    "tables" JSONB NOT NULL,
    CONSTRAINT "Certificate_backupId_fkey" FOREIGN KEY ("backupId") REFERENCES "Backup" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "EncryptionKey" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "workspaceId" TEXT NOT NULL,
    "secret" TEXT NOT NULL,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "retiredAt" DATETIME,
    CONSTRAINT "EncryptionKey_workspaceId_fkey" FOREIGN KEY ("workspaceId") REFERENCES "Workspace" ("id") ON DELETE RESTRICT ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "TrustedSigner" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "workspaceId" TEXT NOT NULL,
    "fingerprint" TEXT NOT NULL,
    "publicKey" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "TrustedSigner_workspaceId_fkey" FOREIGN KEY ("workspaceId") REFERENCES "Workspace" ("id") ON DELETE RESTRICT ON UPDATE CASCADE
);

-- RedefineTables
PRAGMA defer_foreign_keys=ON;
PRAGMA foreign_keys=OFF;
CREATE TABLE "new_Source" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "workspaceId" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" DATETIME NOT NULL,
    "databaseKind" TEXT,
    "databaseLabel" TEXT,
    "databaseSecret" TEXT,
    "excludedTables" JSONB NOT NULL,
    "clearedColumns" JSONB NOT NULL,
    "trees" JSONB NOT NULL,
    "configTrees" JSONB NOT NULL,
    "envFilePath" TEXT,
    "envRestorePath" TEXT,
    "drillLabel" TEXT,
    "drillSecret" TEXT,
    "drillOnOwnServer" BOOLEAN NOT NULL DEFAULT false,
    "lockCounter" INTEGER NOT NULL DEFAULT 0,
    CONSTRAINT "Source_workspaceId_fkey" FOREIGN KEY ("workspaceId") REFERENCES "Workspace" ("id") ON DELETE RESTRICT ON UPDATE CASCADE
);
INSERT INTO "new_Source" ("clearedColumns", "configTrees", "createdAt", "databaseKind", "databaseLabel", "databaseSecret", "envFilePath", "envRestorePath", "excludedTables", "id", "lockCounter", "name", "trees", "updatedAt", "workspaceId") SELECT "clearedColumns", "configTrees", "createdAt", "databaseKind", "databaseLabel", "databaseSecret", "envFilePath", "envRestorePath", "excludedTables", "id", "lockCounter", "name", "trees", "updatedAt", "workspaceId" FROM "Source";
DROP TABLE "Source";
ALTER TABLE "new_Source" RENAME TO "Source";
CREATE UNIQUE INDEX "Source_workspaceId_name_key" ON "Source"("workspaceId", "name");
PRAGMA foreign_keys=ON;
PRAGMA defer_foreign_keys=OFF;

-- CreateIndex
CREATE INDEX "Certificate_backupId_finishedAt_idx" ON "Certificate"("backupId", "finishedAt");

-- CreateIndex
CREATE INDEX "EncryptionKey_workspaceId_createdAt_idx" ON "EncryptionKey"("workspaceId", "createdAt");

-- CreateIndex
CREATE UNIQUE INDEX "TrustedSigner_workspaceId_fingerprint_key" ON "TrustedSigner"("workspaceId", "fingerprint");
