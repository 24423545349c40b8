import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { wrongIncludes } from '../../scripts/lib/includes.mjs';
import { sources } from '../../native/sources.mjs';
import { filesUnder } from '../../scripts/lib/stamp.mjs';
import { googleTestFilter } from '../../scripts/lib/suites.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'espalier-native-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('the include rule of native/', () => {
  it('is kept', () => {
    expect(wrongIncludes(root)).toEqual([]);
  });

  it('refuses an include against the order of the rooms, by file and line', () => {
    cpSync(join(root, 'native'), join(folder, 'native'), { recursive: true });
    const plant = (file: string, line: string) => {
      const path = join(folder, 'native', file);
      writeFileSync(path, `${line}\n${readFileSync(path, 'utf8')}`);
    };
    plant('sparse/csr.h', '#include "kernels/linear/linear.h"');
    plant('kernels/activation.h', '#  include <program/spec.h>');
    plant('program/plan.cc', '#include "addon/js.h"');
    plant('cpu/gate.h', '#include "../sparse/csr.h"');
    plant('test/program_test.cc', '#include "addon/js.h"');
    plant('addon/js.cc', '#include "program/spec.h"');
    mkdirSync(join(folder, 'native/tools'));
    writeFileSync(join(folder, 'native/tools/tool.cc'), '#include "cpu/gate.h"\n');
    expect(wrongIncludes(folder)).toEqual([
      'native/cpu/gate.h:1: "../sparse/csr.h" is no file of native/: a header is included by its path from there',
      'native/kernels/activation.h:1: kernels may include cpu, sparse beside itself, not "program/spec.h"',
      'native/program/plan.cc:1: program may include cpu, sparse, kernels beside itself, not "addon/js.h"',
      'native/sparse/csr.h:1: sparse may include nothing beside itself, not "kernels/linear/linear.h"',
      'native/test/program_test.cc:1: test may include cpu, sparse, kernels, program beside itself, not "addon/js.h"',
      'native/tools/tool.cc:1: tools has no line in the include rule (scripts/lib/includes.mjs)',
    ]);
  });
});

describe('the parts of the addon', () => {
  it('hold each C++ file of the engine and of the addon once', () => {
    const parts = ['common', 'avx2', 'avx512', 'neon', 'addon'].map((part) => sources(part));
    const all = filesUnder(
      root,
      ['cpu', 'sparse', 'kernels', 'program', 'addon'].map((room) => `native/${room}`),
    );
    expect(parts.flat().sort()).toEqual(all.filter((path: string) => path.endsWith('.cc')).sort());
    expect(parts[1]).toContain('native/kernels/linear/dense_avx2.cc');
    expect(parts[2]).toContain('native/kernels/linear/dense_avx512.cc');
    expect(() => sources('sse')).toThrow('there is no part sse');
  });
});

describe('a filter of the native tests', () => {
  it('finds a suite by its name, with values or without', () => {
    expect(googleTestFilter('Linear*')).toBe('Linear*:*/Linear*');
    expect(googleTestFilter('A.*:All/B.*-*Slow*')).toBe('A.*:*/A.*:All/B.*-*Slow*');
    expect(googleTestFilter('*')).toBe('*');
  });
});
