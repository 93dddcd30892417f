import { defineConfig } from 'prisma/config';

// Only `prisma generate` reads this; migrations are written and applied in-process (src/catalog/migrate.ts).
export default defineConfig({ schema: 'prisma/schema.prisma' });
