/** Prints the JSON Schema of manifest.json when run; see manifest-schema.test.ts. */
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { manifestSchema } from '../../src/bundle/manifest.ts';

/** The schema as docs/manifest.schema.json holds it. */
export function manifestJsonSchema(): object {
  return { title: 'manifest.json of a Holdfast bundle, format version 1', ...z.toJSONSchema(manifestSchema) };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  console.log(JSON.stringify(manifestJsonSchema(), null, 2));
}
