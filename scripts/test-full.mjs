#!/usr/bin/env node
/**
 * `npm run test:full [-- package keras clients deploy asan tsan arm64 avx512 fuzz]`: what `npm test` leaves out for its
 * time.
 * Native tests under the sanitizers, for arm64 and over a double of AVX-512, the fuzz targets for a short while, the
 * package as its users get it (installed clean, built by CMake and by node-gyp), Keras loading what is exported, clients
 * that others wrote asking a server, Spark, and the image.
 */
import { exitOnInterrupt } from '../install/run.mjs';
import { Tally } from './lib/tally.mjs';
import {
  clientTests,
  crossTests,
  deployTests,
  doubledTests,
  fuzzSmoke,
  kerasTests,
  nativeTests,
  vitest,
} from './lib/suites.mjs';
import { reportFailure, root, setup } from './setup.mjs';

exitOnInterrupt();

const sanitized = (label, folder, sanitize, env) => [
  label,
  () => nativeTests(root, { label, folder, args: [`-DESPALIER_SANITIZE=${sanitize}`], env }),
];

/** By the names that `npm run test:full -- NAME…` takes; all of them without any. */
const SUITES = {
  package: [
    'the package',
    () =>
      vitest(root, {
        args: ['package.full.test.ts'],
        report: 'build/vitest-full.json',
        env: { ESPALIER_FULL: '1' },
      }),
  ],
  keras: ['Keras loads what is exported', () => kerasTests(root)],
  clients: ['clients that others wrote', () => clientTests(root)],
  deploy: ['Spark and the image', () => deployTests(root)],
  asan: sanitized('native tests (ASan, UBSan)', 'build/asan', 'address,undefined', {
    ASAN_OPTIONS: 'detect_leaks=1',
    UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
  }),
  tsan: sanitized('native tests (TSan)', 'build/tsan', 'thread', { TSAN_OPTIONS: 'halt_on_error=1' }),
  arm64: ['native tests for arm64', () => crossTests(root)],
  avx512: ['native tests over AVX-512 by its double', () => doubledTests(root)],
  fuzz: ['fuzz targets', () => fuzzSmoke(root)],
};

async function main() {
  const asked = process.argv.slice(2);
  const unknown = asked.filter((name) => !Object.hasOwn(SUITES, name));
  if (unknown.length > 0) {
    console.error(`expected suites among ${Object.keys(SUITES).join(', ')}, received ${unknown.join(', ')}`);
    return 2;
  }
  try {
    await setup();
  } catch (error) {
    return reportFailure(error);
  }
  const tally = new Tally();
  for (const [name, [label, suite]] of Object.entries(SUITES)) {
    if (asked.length > 0 && !asked.includes(name)) continue;
    console.log(`\n${label}`);
    tally.add(label, await suite());
  }
  return tally.close();
}

process.exitCode = await main();
