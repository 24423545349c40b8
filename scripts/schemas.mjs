/** Writes schemas/bench-result-1.json anew from the built src/measure/result.ts. A test tells when that is due. */
import { writeFileSync } from 'node:fs';
import { resultJsonSchema } from '../dist/measure/result.js';

writeFileSync(
  new URL('../schemas/bench-result-1.json', import.meta.url),
  `${JSON.stringify(resultJsonSchema(), null, 2)}\n`,
);
