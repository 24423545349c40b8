/** Whether all computed the same, who did not take part, and the machine that all of it is of. */
import { bytes } from '../../measure/table.js';
import type { BenchResult } from '../../measure/result.js';
import { share, type Case } from '../results.js';
import { number, type Section } from '../section.js';

const STATUS: Record<string, string> = {
  ok: 'agrees',
  absent: 'is not installed',
  unsupported: 'cannot hold this network',
  failed: 'failed',
  crashed: 'crashed',
  timeout: 'did not answer in time',
  'out-of-memory': 'ran out of memory',
  differs: 'computed something else',
};

export function agreement(cases: readonly Case[]): Section {
  return {
    id: 'agreement',
    title: 'Who computed the same',
    lead: "Each engine's outputs were compared with espalier's before it was timed: within 1e-4 of the largest magnitude of the output, or of 1 where all are smaller.",
    charts: [],
    tables: [
      {
        caption: 'Engines, whether they took part, and their versions',
        columns: [
          { title: 'network' },
          { title: 'engine' },
          { title: 'outcome' },
          { title: 'largest difference', align: 'right' },
          { title: 'versions and remarks' },
        ],
        rows: cases.flatMap(({ label, network }) =>
          network.rivals.map((rival) => [
            label,
            rival.name,
            rival.status === 'ok'
              ? (STATUS['ok'] ?? '')
              : { text: STATUS[rival.status] ?? rival.status, mark: 'lost' as const },
            number(rival.maxAbsDifference, (value) => (value === 0 ? '0' : value.toExponential(1))),
            [
              ...Object.entries(rival.versions).map(([name, version]) => `${name} ${version}`),
              ...(rival.note === null ? [] : [rival.note]),
              ...(rival.message === null ? [] : [rival.message]),
            ].join('; '),
          ]),
        ),
      },
    ],
    notes: [],
  };
}

export function machine(results: readonly BenchResult[]): Section {
  const lines = (result: BenchResult): [string, string][] => {
    const { machine: m, settings: s, load, roofs } = result;
    const cache = (value: number | null) => (value === null ? 'unknown' : bytes(value));
    return [
      ['model', result.model],
      ['measured', result.created],
      ['command', result.command],
      ['CPU', `${m.cpu}${m.virtual ? ' (virtual)' : ''}, ${m.cores} cores, ${m.architecture}`],
      ['instruction sets', m.isa.join(' ')],
      ['caches', `L1d ${cache(m.caches.l1d)}, L2 ${cache(m.caches.l2)}, L3 ${cache(m.caches.l3)}`],
      ['memory', bytes(m.memoryBytes)],
      ['frequency governor', m.governor ?? 'not told by the system'],
      [
        'roofs',
        roofs === undefined
          ? 'not measured'
          : `${roofs.fmaGflops.toFixed(1)} GFLOP/s, cache ${roofs.cacheGBs.toFixed(1)} GB/s, memory ${roofs.memoryGBs.toFixed(1)} GB/s`,
      ],
      [
        'busy cores',
        `${load.before.toFixed(1)} before, ${load.during.toFixed(1)} during${load.noisy ? ': others were computing' : ''}`,
      ],
      ['system', `${m.system}, Node ${m.node}`],
      ['espalier', `${m.espalier}${m.commit === null ? '' : `, commit ${m.commit}`}`],
      ['threads', `${s.threads}, ${s.cores === null ? 'not pinned' : `pinned to core ${s.cores}`}`],
      [
        'rounds',
        `${s.rounds} interleaved, ${s.minTime} s an engine and batch size, ${s.warmUp} calls to warm up, inputs from seed ${s.seed}`,
      ],
      ['noise limit', `${share(s.noiseLimit)} between the medians of the rounds`],
      ['complete', result.complete ? 'yes' : 'no: interrupted, the finished rounds are shown'],
    ];
  };
  return {
    id: 'machine',
    title: 'Machine and settings',
    lead: 'All figures of this report are of these machines and commands.',
    charts: [],
    tables: results.map((result) => ({
      caption: `How ${result.model} was measured`,
      columns: [{ title: 'what' }, { title: 'value' }],
      rows: lines(result),
    })),
    notes: [],
  };
}
