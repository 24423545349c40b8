/** `node --import` this: SIGUSR2 prints how late the event loop was since the last time, in milliseconds, as JSON. */
import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION = 1;
const delay = monitorEventLoopDelay({ resolution: RESOLUTION });
delay.enable();
process.on('SIGUSR2', () => {
  // What is recorded is the time from one look to the next.
  const late = (q) => Math.max(0, delay.percentile(q) / 1e6 - RESOLUTION);
  console.log(`loop ${JSON.stringify({ p50: late(50), p99: late(99), max: delay.max / 1e6 - RESOLUTION })}`);
  delay.reset();
});
