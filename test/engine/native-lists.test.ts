import { describe, expect, it } from 'vitest';
import { ISA_NAMES } from '../../src/engine/addon.js';
import { addon } from '../../src/engine/find.js';
import { VALUE_FORMATS } from '../../src/program/value-formats.js';

describe('the lists of the addon', () => {
  it('are those of TypeScript: instruction sets and value formats', () => {
    const { isas, valueFormats } = addon().contract();
    expect(isas).toEqual(ISA_NAMES);
    expect(valueFormats).toEqual(VALUE_FORMATS);
    for (const isa of addon().cpu().available) expect(isas).toContain(isa);
  });

  it('name the layouts of each instruction set once, with those that all have', () => {
    const { isas, layouts } = addon().contract();
    expect(Object.keys(layouts)).toEqual(isas);
    for (const names of Object.values(layouts)) {
      expect(new Set(names).size).toBe(names.length);
      expect(names).toEqual(expect.arrayContaining(['dense', 'csr', 'tiles']));
    }
  });
});
