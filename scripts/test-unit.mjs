#!/usr/bin/env node
/**
 * `npm run test:unit [-- PART…]`: the tests that need TypeScript alone, in about a minute: no native engine, no build, no
 * TensorFlow, no Python. With parts of file names, those of them that have one.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { exitOnInterrupt } from '../install/run.mjs';
import { filesUnder } from './lib/stamp.mjs';
import { vitest } from './lib/suites.mjs';
import { Tally } from './lib/tally.mjs';
import { UNIT } from './lib/unit.mjs';
import { reportFailure, root, setup } from './setup.mjs';

exitOnInterrupt();

async function main() {
  const parts = process.argv.slice(2);
  const gone = UNIT.filter((path) => !existsSync(join(root, path)));
  if (gone.length > 0) {
    console.error(`scripts/lib/unit.mjs names ${gone.join(', ')}, which is not there`);
    return 1;
  }
  const files = filesUnder(root, UNIT, (path) => path.endsWith('.test.ts')).filter(
    (path) => parts.length === 0 || parts.some((part) => path.includes(part)),
  );
  if (files.length === 0) {
    console.error(
      `expected a part of the name of a test of ${UNIT.join(', ')}, received ${parts.join(', ')}`,
    );
    return 2;
  }
  try {
    await setup(['npm']);
  } catch (error) {
    return reportFailure(error);
  }
  const tally = new Tally();
  tally.add('vitest', await vitest(root, { args: files, report: 'build/vitest-unit.json' }));
  return tally.close();
}

process.exitCode = await main();
