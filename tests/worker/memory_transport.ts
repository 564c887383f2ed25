import type { Transport } from "../../lib/worker/mod.ts";

/** Two ends of a connection in memory: what is written at one is read at the other. */
export function memoryTransports(): { readonly engine: Transport; readonly worker: Transport } {
  const toEngine = createPipe();
  const toWorker = createPipe();
  const close = (): void => {
    toEngine.close();
    toWorker.close();
  };
  return {
    engine: { read: toEngine.read, write: toWorker.write, close },
    worker: { read: toWorker.read, write: toEngine.write, close: toEngine.close },
  };
}

interface Pipe {
  read(): Promise<Uint8Array | undefined>;
  write(bytes: Uint8Array): Promise<void>;
  close(): void;
}

/** How many writes have room: the next waits until one is read, as with a full pipe of the system. */
const ROOM = 16;

/** A pipe, in which writes stay in their order. */
function createPipe(): Pipe {
  const written: Uint8Array[] = [];
  let isClosed = false;
  let changed = Promise.withResolvers<void>();
  return {
    async read() {
      while (written.length === 0 && !isClosed) await changed.promise;
      const bytes = written.shift();
      change();
      return bytes;
    },
    async write(bytes) {
      if (isClosed) throw new Error("the pipe is closed");
      written.push(bytes);
      change();
      while (written.length > ROOM && !isClosed) await changed.promise;
    },
    close() {
      isClosed = true;
      change();
    },
  };

  function change(): void {
    changed.resolve();
    changed = Promise.withResolvers();
  }
}
