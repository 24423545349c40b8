import { describe, expect, it } from 'vitest';
import { parseYaml } from '../../src/yaml.js';

describe('YAML of settings', () => {
  it('is what it says', () => {
    expect(parseYaml('a: 1\nb: [x, "y"]\nc: &n { d: null }\ne: *n\n')).toEqual({
      ...{ a: 1, b: ['x', 'y'], c: { d: null }, e: { d: null } },
    });
  });

  it.each([
    ['a tag that nobody knows', 'sparsity: !half 0.5', /Unresolved tag: !half at line 1/],
    ['a key given twice', 'a: 1\na: 2', /unique at line 2/],
    ['no YAML', 'a: [1, 2', /./],
  ])('%s is an error of one line, not a word on the side', (_, text, message) => {
    let found: Error | undefined;
    try {
      parseYaml(text);
    } catch (error) {
      found = error as Error;
    }
    expect(found?.message).toMatch(message);
    expect(found?.message).not.toContain('\n');
  });

  it('that unfolds into gigabytes is refused', () => {
    const levels = Array.from({ length: 9 }, (_, i) => `l${i + 1}: &l${i + 1} [${`*l${i},`.repeat(9)}]`);
    expect(() => parseYaml(`l0: &l0 [1,1,1]\n${levels.join('\n')}`)).toThrow(/alias/i);
  });
});
