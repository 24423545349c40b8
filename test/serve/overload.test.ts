/** When requests are refused because the event loop cannot keep up. The clock and the timers are the test's. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Overload } from '../../src/serve/overload.js';

let now = 0;
let worked = 0;
let since = 0;
let overload: Overload;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setImmediate'] });
  now = 1000;
  [worked, since] = [0, now];
  overload = new Overload(50, {
    now: () => now,
    busy() {
      const part = now === since ? 0 : worked / (now - since);
      [worked, since] = [0, now];
      return part;
    },
  });
});
afterEach(() => {
  overload.close();
  vi.useRealTimers();
});

/**
 * A turn of the loop with so many requests; each takes so long, or a quarter where it is refused; then a rest. Answers
 * how many were taken in.
 */
function turn(requests: number, eachMs: number, underWay: number, restMs = 0): number {
  let taken = 0;
  const began = now;
  for (let i = 0; i < requests; i++) {
    const refused = overload.refuses(underWay);
    if (!refused) taken += 1;
    now += refused ? eachMs / 4 : eachMs;
  }
  worked += now - began;
  // The timer is as late as the turn was long.
  now += restMs;
  vi.advanceTimersByTime(20);
  return taken;
}

describe('overload', () => {
  test('a burst is taken in whole, and a loop that is only a little late goes on', () => {
    for (let i = 0; i < 4; i++) expect(turn(1000, 0.125, 500)).toBe(1000);
    turn(1, 0.125, 1, 20);
    for (let i = 0; i < 100; i++) expect(turn(200, 0.25, 200)).toBe(200);
  });

  test('few requests are never refused, however late the loop', () => {
    for (let i = 0; i < 100; i++) expect(turn(32, 10, 32)).toBe(32);
  });

  test('bursts with rests between are never refused, however late the loop', () => {
    for (let i = 0; i < 100; i++) expect(turn(1000, 0.125, 500, 60)).toBe(1000);
  });

  test('what keeps the loop late is refused after the first of a turn, until the loop rests', () => {
    const taken = Array.from({ length: 30 }, () => turn(1000, 0.125, 500));
    expect(taken.slice(0, 5)).toEqual(new Array(5).fill(1000));
    // 2 ms of each turn.
    expect(taken.slice(-20)).toEqual(new Array(20).fill(16));
    for (let i = 0; i < 20; i++) turn(10, 0.125, 10, 20);
    for (let i = 0; i < 4; i++) expect(turn(1000, 0.125, 500)).toBe(1000);
  });
});
