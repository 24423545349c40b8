/** The program of a worker process. */
import { runWorker } from './worker.js';

runWorker();
