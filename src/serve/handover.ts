/**
 * node:cluster accepts connections in the primary and hands each to a worker. One that is handed to a worker which dies
 * before it takes it is forgotten but stays open: its client would wait for ever (seen with Node 20). Here they are
 * remembered until the worker says that it took them, and closed when it dies: the client then knows, and asks again.
 * Should Node change the messages that this reads, nothing is remembered and all is as without it.
 */
import type { Worker } from 'node:cluster';

interface Handle {
  close(): void;
}
interface HandedOver {
  readonly cmd?: unknown;
  readonly act?: unknown;
  readonly seq?: unknown;
}

/** Answers the function that closes what the dead worker never took. */
export function watchHandover(worker: Worker): () => void {
  const open = new Map<number, Handle>();
  const child = worker.process as unknown as {
    send: (message: HandedOver | null, handle?: Handle, ...rest: unknown[]) => boolean;
    on(event: 'internalMessage', listener: (message: { ack?: unknown } | null) => void): void;
  };
  const send = child.send.bind(child);
  child.send = (message, handle, ...rest) => {
    if (message?.cmd === 'NODE_CLUSTER' && message.act === 'newconn' && typeof message.seq === 'number') {
      if (typeof handle?.close === 'function') open.set(message.seq, handle);
    }
    return send(message, handle, ...rest);
  };
  child.on('internalMessage', (message) => {
    if (typeof message?.ack === 'number') open.delete(message.ack);
  });
  return () => {
    for (const handle of open.values()) handle.close();
    open.clear();
  };
}
