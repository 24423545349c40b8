#!/usr/bin/env node
/** `npm test`: sets up what is missing, then runs every check and suite and closes with one line for all of them. */
import { exitOnInterrupt } from '../install/run.mjs';
import { Tally } from './lib/tally.mjs';
import { checks, nativeTests, vitest } from './lib/suites.mjs';
import { reportFailure, root, setup } from './setup.mjs';

exitOnInterrupt();

async function main() {
  try {
    await setup();
  } catch (error) {
    return reportFailure(error);
  }
  const tally = new Tally();
  console.log('\nchecks and native tests');
  const [checked, native] = await Promise.all([checks(root), nativeTests(root)]);
  tally.add('checks', checked);
  tally.add('native', native);
  console.log('\nvitest');
  tally.add('vitest', await vitest(root));
  return tally.close();
}

process.exitCode = await main();
