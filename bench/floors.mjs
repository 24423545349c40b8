/** What a result of the suites says of each committed floor. */

/**
 * `suites`: of a result of bench/run.mjs; `floors`: of floors.json. Answers a line a floor: the ratio that was measured
 * (undefined where the engine was not there) and whether it holds.
 */
export function checkFloors(suites, floors) {
  return floors.map((floor) => {
    const found = suites
      .find(({ suite }) => suite === floor.suite)
      ?.results.find(
        ({ network, batch, id, sparsity }) =>
          network === floor.network &&
          batch === floor.batch &&
          id === floor.id &&
          (floor.sparsity === undefined || sparsity === floor.sparsity),
      );
    const ratio = found?.over[floor.over];
    const verdict = ratio === undefined ? 'absent' : ratio >= floor.atLeast ? 'ok' : 'MISS';
    return { ...floor, ratio, verdict };
  });
}
