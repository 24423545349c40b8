/**
 * Node's headers for node-gyp without a download: those of the running Node where its prefix holds them, else a
 * folder in the same layout made from npm's node-api-headers.
 */
import { cp, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { cacheFolder } from '../../install/cache.mjs';

/**
 * What node-gyp includes from <nodedir>/include/node/common.gypi, as far as a Node-API addon needs it:
 * an optimised C++17 build of position-independent code.
 */
const COMMON_GYPI = `{
  'target_defaults': {
    'default_configuration': 'Release',
    'configurations': {
      'Debug': { 'cflags': ['-g', '-O0'], 'defines': ['DEBUG', '_DEBUG'] },
      'Release': {
        'cflags': ['-O3'],
        'xcode_settings': { 'GCC_OPTIMIZATION_LEVEL': '3' }
      }
    },
    'cflags': ['-pthread', '-fPIC'],
    'cflags_cc': ['-std=gnu++17'],
    'ldflags': ['-pthread', '-rdynamic'],
    'conditions': [
      ['OS=="mac"', {
        'xcode_settings': {
          'CLANG_CXX_LANGUAGE_STANDARD': 'gnu++17',
          'CLANG_CXX_LIBRARY': 'libc++',
          'GCC_DYNAMIC_NO_PIC': 'NO',
          'MACOSX_DEPLOYMENT_TARGET': '12.0'
        }
      }]
    ]
  }
}
`;

/** A folder for npm_config_nodedir. */
export async function nodeDirectory(executable = process.execPath): Promise<string> {
  const prefix = dirname(dirname(executable));
  const own = ['node_api.h', 'common.gypi'].map((name) => join(prefix, 'include/node', name));
  const present = await Promise.all(
    own.map((path) =>
      stat(path).then(
        () => true,
        () => false,
      ),
    ),
  );
  if (present.every(Boolean)) return prefix;

  const require = createRequire(import.meta.url);
  const { include_dir: source } = require('node-api-headers') as { include_dir: string };
  const { version } = JSON.parse(
    await readFile(require.resolve('node-api-headers/package.json'), 'utf8'),
  ) as {
    version: string;
  };
  const folder = join(cacheFolder(), 'node-headers', version);
  const include = join(folder, 'include/node');
  await mkdir(include, { recursive: true });
  await cp(source, include, { recursive: true });
  await writeFile(join(include, 'common.gypi'), COMMON_GYPI);
  await writeFile(join(include, 'config.gypi'), "{ 'target_defaults': {}, 'variables': {} }\n");
  return folder;
}
