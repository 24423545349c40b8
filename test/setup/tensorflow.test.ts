import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { nodeDirectory } from '../../src/setup/headers.js';
import { probeTensorFlow, restoreNodeUtil } from '../../src/setup/probe.js';
import { findTensorFlow, setupTensorFlow } from '../../src/setup/tensorflow.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'espalier-tensorflow-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

describe('setup-tensorflow', () => {
  it('tells a project without tfjs-node how to get it', async () => {
    writeFileSync(join(folder, 'package.json'), '{}');
    const error = await setupTensorFlow({ project: folder, say: () => undefined }).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'NOT_FOUND', exitCode: 2 });
    expect(String(error)).toMatch(/npm install --ignore-scripts @tensorflow\/tfjs-node/);
  });

  it('finds the tfjs-node of this project, and does nothing where it works', async () => {
    const found = await findTensorFlow(process.cwd());
    expect(found).toMatchObject({ version: '4.22.0', library: '2.9.1' });
    const lines: string[] = [];
    const { changed } = await setupTensorFlow({
      project: process.cwd(),
      say: (text) => void lines.push(text),
    });
    expect({ changed, lines }).toEqual({ changed: false, lines: [] });
  });

  it('sees in a child process that a tfjs-node does not work, and why', async () => {
    writeFileSync(join(folder, 'package.json'), '{"main":"index.js"}');
    writeFileSync(join(folder, 'index.js'), 'throw new Error("no binding here")');
    const { ok, problem } = await probeTensorFlow(folder);
    expect(ok).toBe(false);
    expect(problem).toMatch(/no binding here/);
  });
});

describe('what Node 23 removed from util', () => {
  it('is put back by tfjs-node itself, once', async () => {
    mkdirSync(join(folder, 'dist'));
    const entry = join(folder, 'dist/index.js');
    writeFileSync(entry, '"use strict";\nexports.isNull = require("util").isNullOrUndefined;\n');
    await restoreNodeUtil(folder);
    await restoreNodeUtil(folder);
    const source = readFileSync(entry, 'utf8');
    expect(source.match(/espalier-node-util/g)).toHaveLength(1);
    expect(source.startsWith('"use strict";\n')).toBe(true);
    const { isNull } = createRequire(import.meta.url)(entry) as { isNull: (value: unknown) => boolean };
    expect([isNull(null), isNull(undefined), isNull(0)]).toEqual([true, true, false]);
  });
});

describe('headers for node-gyp', () => {
  it('are made of node-api-headers where the running Node has none', async () => {
    vi.stubEnv('ESPALIER_CACHE', join(folder, 'cache'));
    const directory = await nodeDirectory(join(folder, 'bin/node'));
    expect(directory.startsWith(join(folder, 'cache'))).toBe(true);
    for (const name of ['node_api.h', 'js_native_api.h', 'common.gypi', 'config.gypi']) {
      expect(readFileSync(join(directory, 'include/node', name), 'utf8').length).toBeGreaterThan(20);
    }
  });

  it("are the running Node's where its prefix holds them", async () => {
    mkdirSync(join(folder, 'include/node'), { recursive: true });
    for (const name of ['node_api.h', 'common.gypi']) writeFileSync(join(folder, 'include/node', name), '');
    expect(await nodeDirectory(join(folder, 'bin/node'))).toBe(folder);
  });
});
