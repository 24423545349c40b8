#!/usr/bin/env node
/**
 * `npm run test:native [-- --filter 'Linear*']`: builds the native tests where the addon is built and runs them, or those
 * that a GoogleTest filter names. What has not changed is not built again: the quick loop for work on native/.
 */
import { parseArgs } from 'node:util';
import { exitOnInterrupt } from '../install/run.mjs';
import { nativeTests } from './lib/suites.mjs';
import { Tally } from './lib/tally.mjs';
import { root } from './setup.mjs';

exitOnInterrupt();

async function main() {
  let filter;
  try {
    ({ filter } = parseArgs({ options: { filter: { type: 'string' } } }).values);
  } catch (error) {
    console.error(`${error.message}\nusage: npm run test:native [-- --filter PATTERN]`);
    return 2;
  }
  const tally = new Tally();
  tally.add('native', await nativeTests(root, { filter }));
  return tally.close();
}

process.exitCode = await main();
