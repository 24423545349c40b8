/**
 * Refusing what one event loop cannot answer. When more requests come than it can even read, they pile up in the
 * sockets, where no queue sees them: each turn of the loop takes longer, and a refusal waits as long as an answer. So
 * once turns have been late for a while, requests are taken in only at the beginning of a turn and the rest of it are
 * refused, which is cheaper: turns become short again, and both refusals and answers quick. A loop that finds time to
 * rest is not overloaded, whatever bursts come, and then nothing is refused.
 */
import { performance, type EventLoopUtilization } from 'node:perf_hooks';

/** How often the loop is looked at, and for how long it must have been late before anything is refused. */
const LOOK_MS = 20;
const STANDING_MS = 500;
/** Over so long, a loop that is busy for less than this part of the time has rested. */
const REST_MS = 200;
const BUSY = 0.95;
/** Of a turn of an overloaded loop, so much is for new requests. */
const TURN_MS = 2;
/** So few requests under way are never the cause, whatever keeps the loop: other programs, models being loaded. */
const FEW = 64;

export interface LoopProbe {
  /** Milliseconds. */
  now(): number;
  /** The part of the time since the last call that the loop was busy, from 0 to 1. */
  busy(): number;
}

function loopProbe(): LoopProbe {
  let last: EventLoopUtilization = performance.eventLoopUtilization();
  return {
    now: () => performance.now(),
    busy() {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, last);
      last = now;
      return utilization;
    },
  };
}

export class Overload {
  readonly #mostMs: number;
  readonly #probe: LoopProbe;
  readonly #look: NodeJS.Timeout;
  #looked: number;
  /** Since when the loop has been late and busy at every look; 0: it is not. */
  #lateSince = 0;
  /** The most requests under way since the last look. */
  #most = 0;
  /** While it is overloaded: when it was last asked whether the loop rested. 0: it is not overloaded. */
  #restAsked = 0;
  /** When the first request of this turn came; 0: none has. */
  #turn = 0;

  constructor(mostMs: number, probe: LoopProbe = loopProbe()) {
    this.#mostMs = mostMs;
    this.#probe = probe;
    this.#looked = probe.now();
    this.#look = setInterval(() => this.#check(), LOOK_MS).unref();
  }

  /** Whether one more request is too many, beside so many under way. */
  refuses(underWay: number): boolean {
    if (underWay > this.#most) this.#most = underWay;
    if (this.#restAsked === 0) return false;
    const now = this.#probe.now();
    if (this.#turn === 0) {
      this.#turn = now;
      setImmediate(() => (this.#turn = 0));
    }
    return now - this.#turn >= TURN_MS;
  }

  close(): void {
    clearInterval(this.#look);
  }

  #check(): void {
    const now = this.#probe.now();
    const late = now - this.#looked - LOOK_MS;
    this.#looked = now;
    if (this.#restAsked > 0) {
      if (now - this.#restAsked < REST_MS) return;
      this.#restAsked = this.#probe.busy() < BUSY ? 0 : now;
      return;
    }
    const most = this.#most;
    this.#most = 0;
    if (late <= this.#mostMs || most < FEW) {
      this.#lateSince = 0;
      return;
    }
    // Asked at every late look, so that it tells of the time since the one before.
    const busy = this.#probe.busy() >= BUSY;
    if (this.#lateSince === 0) this.#lateSince = now;
    else if (!busy) this.#lateSince = 0;
    else if (now - this.#lateSince > STANDING_MS) {
      this.#restAsked = now;
      this.#lateSince = 0;
    }
  }
}
