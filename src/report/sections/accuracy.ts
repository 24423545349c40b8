/** What pruning cost in quality. */
import { colour } from '../palette.js';
import { percentAxis, plotWidth } from '../axes.js';
import type { Case } from '../results.js';
import { number, type Chart, type Section } from '../section.js';
import { slug } from './timing.js';

const measured = (cases: readonly Case[]) =>
  cases.flatMap((one) =>
    one.network.accuracy === undefined ? [] : [{ one, accuracy: one.network.accuracy }],
  );

function chart(cases: readonly Case[], model: string): Chart | undefined {
  const own = measured(cases).filter(({ one }) => one.model === model);
  const first = own[0]?.accuracy;
  if (first === undefined) return undefined;
  const kind = first.kind;
  const field = kind === 'regression' ? 'rmse' : 'accuracy';
  const values = own.flatMap(({ one, accuracy }) => {
    const value = accuracy.model[field];
    return value === null
      ? []
      : [{ sparsity: one.network.sparsity, value, text: value.toPrecision(4), what: 'this network' }];
  });
  const dense = own
    .map(({ accuracy }) => accuracy.dense?.[field])
    .find((value) => value !== undefined && value !== null);
  const all = [
    ...values.map(({ value }) => value),
    ...(dense === undefined || dense === null ? [] : [dense]),
  ];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const pad = Math.max((high - low) * 0.25, Math.abs(high) * 0.01, 1e-9);
  return {
    id: `accuracy-${slug(model)}`,
    title: `${kind === 'regression' ? 'RMSE' : 'Accuracy'} against sparsity, ${model}`,
    description: `A point for each network; the dashed line is the dense network. ${kind === 'regression' ? 'Lower' : 'Higher'} is better.`,
    spec: (width) => ({
      width: plotWidth(width),
      height: Math.min(260, plotWidth(width) * 0.7),
      data: { values },
      layer: [
        ...(dense === undefined || dense === null
          ? []
          : [
              {
                mark: { type: 'rule', color: colour('c4'), strokeDash: [5, 3], strokeWidth: 2 },
                encoding: { y: { datum: dense } },
              },
            ]),
        {
          mark: { type: 'line', color: colour('c0'), point: { filled: true, size: 70, color: colour('c0') } },
          encoding: {
            x: {
              field: 'sparsity',
              type: 'quantitative',
              scale: { domain: [0, 1] },
              axis: percentAxis('sparsity'),
            },
            y: {
              field: 'value',
              type: 'quantitative',
              scale: { domain: [low - pad, high + pad], nice: false },
              axis: {
                title: kind === 'regression' ? `RMSE of ${first.target}` : 'accuracy',
                tickCount: 5,
                ...(kind === 'regression' ? {} : { format: '.1%' }),
              },
            },
          },
        },
        {
          mark: { type: 'text', dy: -11 },
          encoding: {
            x: { field: 'sparsity', type: 'quantitative' },
            y: { field: 'value', type: 'quantitative' },
            text: { field: 'text' },
          },
        },
      ],
    }),
  };
}

export function accuracy(cases: readonly Case[]): Section {
  const all = measured(cases);
  const precise = (value: number) => value.toPrecision(5);
  return {
    id: 'accuracy',
    title: 'Accuracy against sparsity',
    lead: 'How good each network is on held-out rows, beside the dense one.',
    charts: [...new Set(all.map(({ one }) => one.model))].flatMap((model) => chart(cases, model) ?? []),
    tables: [
      {
        caption: 'On held-out rows',
        columns: [
          { title: 'network' },
          { title: 'target' },
          ...[
            'rows',
            'RMSE',
            'dense RMSE',
            'change',
            'MAE',
            'R²',
            'pred/true',
            'accuracy',
            'dense accuracy',
            'largest difference from dense',
          ].map((title) => ({ title, align: 'right' as const })),
        ],
        rows: all.map(({ one, accuracy: { model, dense, target, rows, maxAbsDifference } }) => [
          one.label,
          target,
          number(rows, (value) => value.toLocaleString('en-US')),
          number(model.rmse, precise),
          number(dense?.rmse, precise),
          number(
            model.rmse === null || dense === null || dense.rmse === null ? null : model.rmse / dense.rmse - 1,
            (value) => `${value >= 0 ? '+' : ''}${(100 * value).toFixed(2)} %`,
          ),
          number(model.mae, precise),
          number(model.r2, (value) => value.toFixed(4)),
          model.ratio === null
            ? { text: '–', value: null }
            : {
                text: `${model.ratio.mean.toFixed(4)} ± ${model.ratio.deviation.toFixed(4)}`,
                value: model.ratio.mean,
              },
          number(model.accuracy, (value) => `${(100 * value).toFixed(2)} %`),
          number(dense?.accuracy, (value) => `${(100 * value).toFixed(2)} %`),
          number(maxAbsDifference, (value) => value.toPrecision(3)),
        ]),
      },
    ],
    notes: all.some(({ one }) => one.network.imposed !== null)
      ? ['Zeros imposed in one shot are for speed studies: a network trained to its sparsity is far better.']
      : [],
  };
}
