#!/usr/bin/env node
/**
 * `npm run test:full`: what `npm test` leaves out for its time. Native tests under the sanitizers and for arm64, the
 * fuzz targets for a short while, and the package as its users get it: installed clean, built by CMake and by node-gyp.
 */
import { exitOnInterrupt } from './lib/run.mjs';
import { Tally } from './lib/tally.mjs';
import { crossTests, fuzzSmoke, nativeTests, vitest } from './lib/suites.mjs';
import { reportFailure, root, setup } from './setup.mjs';

exitOnInterrupt();

const SANITIZERS = [
  {
    label: 'native tests (ASan, UBSan)',
    folder: 'build/asan',
    args: ['-DESPALIER_SANITIZE=address,undefined'],
    env: { ASAN_OPTIONS: 'detect_leaks=1', UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1' },
  },
  {
    label: 'native tests (TSan)',
    folder: 'build/tsan',
    args: ['-DESPALIER_SANITIZE=thread'],
    env: { TSAN_OPTIONS: 'halt_on_error=1' },
  },
];

async function main() {
  try {
    await setup();
  } catch (error) {
    return reportFailure(error);
  }
  const tally = new Tally();
  for (const options of SANITIZERS) {
    console.log(`\n${options.label}`);
    tally.add(options.label, await nativeTests(root, options));
  }
  console.log('\nnative tests for arm64');
  tally.add('native tests (arm64)', await crossTests(root));
  console.log('\nfuzz targets');
  tally.add('fuzz targets', await fuzzSmoke(root));
  console.log('\nthe package');
  const full = { args: ['.full.test.ts'], report: 'build/vitest-full.json', env: { ESPALIER_FULL: '1' } };
  tally.add('package', await vitest(root, full));
  return tally.close();
}

process.exitCode = await main();
