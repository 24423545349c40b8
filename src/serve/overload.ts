/**
 * Refusing what one event loop cannot answer. When more requests come than it can even read, they pile up in the
 * sockets, where no queue sees them: each turn of the loop takes longer, and a refusal waits as long as an answer. So
 * once turns have been late for a while, requests are taken in only at the beginning of a turn and the rest of it are
 * refused, which is cheap: turns become short again, and both refusals and answers quick.
 */
import { performance } from 'node:perf_hooks';

/** How often the delay of the loop is looked at, and for how long it must stand before anything is refused. */
const LOOK_MS = 20;
const STANDING_MS = 200;
/** For so long after the last refusal the loop is taken to be overloaded still. */
const LINGER_MS = 1000;
/** Of a turn of an overloaded loop, so much is for new requests. */
const TURN_MS = 2;
/** So few requests under way are never the cause, whatever keeps the loop: other programs, models being loaded. */
const FEW = 64;

export class Overload {
  readonly #mostMs: number;
  readonly #clock: () => number;
  readonly #look: NodeJS.Timeout;
  #looked: number;
  /** Since when the loop has been late at every look; 0: it is not. */
  #lateSince = 0;
  #most = 0;
  #overloaded = false;
  #refused = 0;
  /** When the first request of this turn came; 0: none has. */
  #turn = 0;

  /** `clock` tells milliseconds. */
  constructor(mostMs: number, clock: () => number = () => performance.now()) {
    this.#mostMs = mostMs;
    this.#clock = clock;
    this.#looked = clock();
    this.#look = setInterval(() => this.#check(), LOOK_MS).unref();
  }

  /** Whether one more request is too many, beside so many under way. */
  refuses(underWay: number): boolean {
    if (underWay > this.#most) this.#most = underWay;
    if (!this.#overloaded) return false;
    const now = this.#clock();
    if (this.#turn === 0) {
      this.#turn = now;
      setImmediate(() => (this.#turn = 0));
    }
    if (now - this.#turn < TURN_MS) return false;
    this.#refused = now;
    return true;
  }

  close(): void {
    clearInterval(this.#look);
  }

  #check(): void {
    const now = this.#clock();
    const late = now - this.#looked - LOOK_MS;
    this.#looked = now;
    if (this.#overloaded) {
      if (now - this.#refused > LINGER_MS) this.#overloaded = false;
      return;
    }
    if (late <= this.#mostMs || this.#most < FEW) this.#lateSince = 0;
    else if (this.#lateSince === 0) this.#lateSince = now - late;
    else if (now - this.#lateSince > STANDING_MS) {
      this.#overloaded = true;
      this.#refused = now;
      this.#lateSince = 0;
    }
    this.#most = 0;
  }
}
