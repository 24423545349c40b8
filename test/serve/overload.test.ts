/** When requests are refused because the event loop cannot keep up. The clock and the timers are the test's. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Overload } from '../../src/serve/overload.js';

let now = 0;
let overload: Overload;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setImmediate'] });
  now = 1000;
  overload = new Overload(50, () => now);
});
afterEach(() => {
  overload.close();
  vi.useRealTimers();
});

/** A turn of the loop with so many requests, each of which takes so long. Answers how many were taken in. */
function turn(requests: number, eachMs: number, underWay: number): number {
  let taken = 0;
  for (let i = 0; i < requests; i++) {
    if (!overload.refuses(underWay)) taken += 1;
    now += eachMs;
  }
  // The timer is as late as the turn was long.
  now += Math.max(0, 20 - requests * eachMs);
  vi.advanceTimersByTime(20);
  return taken;
}

describe('overload', () => {
  test('a burst is taken in whole, and a loop that is only a little late goes on', () => {
    expect(turn(1000, 0.125, 500)).toBe(1000);
    for (let i = 0; i < 100; i++) expect(turn(200, 0.2, 200)).toBe(200);
  });

  test('few requests are never refused, however late the loop', () => {
    for (let i = 0; i < 100; i++) expect(turn(32, 10, 32)).toBe(32);
  });

  test('what keeps the loop late is refused after the first of a turn, until it is over', () => {
    const taken = Array.from({ length: 20 }, () => turn(1000, 0.125, 500));
    expect(taken.slice(0, 2)).toEqual([1000, 1000]);
    // 2 ms of each turn.
    expect(taken.slice(-10)).toEqual(new Array(10).fill(16));
    // Turns that are short again, for longer than it lingers: nothing is refused any more.
    for (let i = 0; i < 60; i++) expect(turn(10, 0.1, 10)).toBe(10);
    expect(turn(1000, 0.125, 500)).toBe(1000);
  });
});
