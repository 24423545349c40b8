import { describe, expect, test } from 'vitest';
import { pruneCommand } from '../../src/cli/commands/prune.js';
import type { LateCommand } from '../../src/cli/late-command.js';
import { settingOption } from '../../src/cli/setting-option.js';
import { recipeSchema } from '../../src/recipe/recipe.js';

const { shape } = recipeSchema;
const parse = (name: keyof typeof shape, text: string) =>
  settingOption(shape[name], name).parseArg!(text, undefined);

describe('an option made from the schema of a recipe', () => {
  test.each([
    ['sparsity', '0.75', 0.75],
    ['sparsity', '0', 0],
    ['power', '0.5', 0.5],
    ['epochs', '3', 3],
    ['weightDecay', '0', 0],
    ['blockSize', '4x1', [4, 1]],
    ['sparsityMByN', '2:4', [2, 4]],
  ] as const)('%s takes %s', (name, text, value) => {
    expect(parse(name, text)).toEqual(value);
  });

  test.each([
    ['sparsity', '1', 'sparsity: expected a number in [0, 1), received "1"'],
    ['initialSparsity', '', 'initial-sparsity: expected a number in [0, 1), received ""'],
    ['power', '0', 'power: expected a number above 0, received "0"'],
    ['epochs', '1.5', 'epochs: expected a whole number from 1, received "1.5"'],
    ['warmUp', '-1', 'warm-up: expected a whole number from 0, received "-1"'],
    ['weightDecay', '-1', 'weight-decay: expected a number from 0, received "-1"'],
    ['blockSize', '4', 'block-size: expected two whole numbers as in 4x1, received "4"'],
    ['sparsityMByN', '2x4', 'sparsity-m-by-n: expected two whole numbers as in 2:4, received "2x4"'],
  ] as const)('%s refuses %j in the words of its range', (name, text, message) => {
    expect(() => parse(name, text)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', message }));
  });

  test('names what there is to choose from, also where an object may stand in its place', () => {
    expect(settingOption(shape.schedule, 'schedule').argChoices).toEqual([
      ...['polynomial', 'cubic', 'linear', 'one-cycle', 'constant'],
    ]);
    expect(settingOption(shape.policy, 'policy').argChoices).toEqual([
      ...['PruneForLatencyOnXNNPack', 'PruneForLatency'],
    ]);
  });

  test('says its default where the schema says it, or what the command says in its place', () => {
    expect(settingOption(shape.warmUp, 'warmUp')).toMatchObject({
      flags: '--warm-up <epochs>',
      description: 'epochs before, at the present sparsity (default: 0)',
    });
    expect(shape.warmUp.description).toBe('epochs before, at the present sparsity; default 0');
    const own = settingOption(shape.epochs, 'epochs', { text: 'passes', fallback: undefined });
    expect(own).toMatchObject({ flags: '--epochs <number>', description: 'passes' });
  });
});

test('every setting of a recipe is an option of `espalier prune`, or has options of another form', async () => {
  const command = pruneCommand() as LateCommand;
  await command.complete();
  const options = new Set(command.options.map((option) => option.attributeName()));
  const otherwise: Record<string, string[]> = {
    $schema: [],
    perLayer: ['layer'],
    scan: ['scan', 'scanSparsities', 'budget'],
    oneShot: ['oneShot', 'method', 'calibration', 'calibrationRows'],
    distillation: ['distill', 'teacher'],
  };
  const wanted = Object.keys(shape).flatMap((name) => otherwise[name] ?? [name]);
  expect(wanted.filter((name) => !options.has(name))).toEqual([]);
});
