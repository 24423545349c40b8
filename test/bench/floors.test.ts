/** The committed floors: each is of a case that the suites have, and a miss is told. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { checkFloors, type Floor } from '../../bench/floors.mjs';

const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../bench/${name}`, import.meta.url), 'utf8')) as unknown;
const { floors } = read('floors.json') as { floors: Floor[] };
const { networks } = read('cases.json') as {
  networks: { name: string; batches: number[]; suites: string[] }[];
};

describe('floors', () => {
  it('are of cases that there are', () => {
    for (const { suite, network, batch } of floors) {
      const found = networks.find(({ name }) => name === network);
      expect(found, network).toBeDefined();
      if (suite === 'size') continue;
      expect(found?.suites, network).toContain(suite);
      expect(found?.batches, network).toContain(batch);
    }
  });

  it('hold, are missed, or are absent', () => {
    const floor = { suite: 's', network: 'n', batch: 1, id: 'x', over: 'espalier', atLeast: 2 };
    const suites = (ratio: number) => [
      {
        suite: 's',
        results: [{ network: 'n', sparsity: 0.5, batch: 1, id: 'x', over: { espalier: ratio } }],
      },
    ];
    const verdict = (given: Parameters<typeof checkFloors>[0]) => checkFloors(given, [floor])[0]?.verdict;
    expect([verdict(suites(2)), verdict(suites(1.99)), verdict([])]).toEqual(['ok', 'MISS', 'absent']);
  });
});
