/** Counting over all suites, and the closing line. */
import { seconds } from '../../install/run.mjs';

export class Tally {
  constructor() {
    this.suites = [];
    this.started = Date.now();
  }

  /** One suite: names of what failed and what was skipped go to the summary. */
  add(suite, { passed = 0, failures = [], skips = [] }) {
    this.suites.push({ suite, passed, failures, skips });
  }

  /**
   * Prints a line a suite, the names of all that failed or was skipped, and last "N passed, N failed[, N skipped]".
   * In CI a skip is a failure: what CI lacks, .ci/run installs. Answers the exit code.
   */
  close({ ci = process.env.CI === 'true' } = {}) {
    console.log('');
    let [passed, failed, skipped] = [0, 0, 0];
    for (const { suite, passed: good, failures, skips } of this.suites) {
      const counts = [`${good} passed`];
      if (failures.length > 0) counts.push(`${failures.length} failed`);
      if (skips.length > 0) counts.push(`${skips.length} skipped`);
      console.log(`${suite}: ${counts.join(', ')}`);
      for (const name of failures) console.log(`  failed: ${name}`);
      for (const name of skips) console.log(`  ${ci ? 'skipped, which fails in CI' : 'skipped'}: ${name}`);
      passed += good;
      failed += failures.length + (ci ? skips.length : 0);
      skipped += ci ? 0 : skips.length;
    }
    if (passed + failed === 0) {
      console.log('no test ran');
      failed = 1;
    }
    console.log(`took ${seconds(Date.now() - this.started)}`);
    console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
    return failed > 0 ? 1 : 0;
  }
}
