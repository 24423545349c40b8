import { configDefaults, defineConfig } from 'vitest/config';
import { pythonHelpersFolder } from './scripts/lib/python.mjs';
import { pythonCommand } from './install/tools.mjs';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Minutes of building and installing: `npm run test:full` asks for these.
    exclude: [
      ...configDefaults.exclude,
      ...(process.env.ESPALIER_FULL === '1' ? [] : ['test/**/*.full.test.ts']),
    ],
    // tfjs-node and our own addon are native: each test file gets a process of its own.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // A test that asserts nothing fails.
    expect: { requireAssertions: true },
    env: {
      TF_CPP_MIN_LOG_LEVEL: '2',
      // The Python packages that tests read our output with: `npm run setup` installs them there.
      ESPALIER_PYTHON: pythonCommand() ?? 'python3',
      ESPALIER_PYTHONPATH: pythonHelpersFolder(import.meta.dirname),
    },
  },
});
