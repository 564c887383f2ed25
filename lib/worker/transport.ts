/** Bytes from and to a worker. */
export interface Transport {
  /** Returns the next bytes, which the next call may overwrite; `undefined` at the end. */
  read(): Promise<Uint8Array | undefined>;
  /** Writes all bytes; resolves when the operating system has them. */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends both directions: a pending `read()` returns the end. */
  close(): void;
}

/** What Deno has for standard input and output, and for connections. */
export interface Endpoint {
  /** Reads into a buffer; returns how many bytes, or `null` at the end. */
  readonly reader: { read(buffer: Uint8Array): Promise<number | null> };
  /** Writes a part of the bytes; returns how many. */
  readonly writer: { write(bytes: Uint8Array): Promise<number> };
  /** Ends both directions. */
  readonly close: () => void;
}

const BUFFER_BYTES = 256 * 1024;

/** Creates a transport over standard streams or a connection. */
export function transportOver({ reader, writer, close }: Endpoint): Transport {
  const buffer = new Uint8Array(BUFFER_BYTES);
  return {
    async read() {
      try {
        const size = await reader.read(buffer);
        return size === null ? undefined : buffer.subarray(0, size);
      } catch {
        return undefined; // a connection that was reset has ended
      }
    },
    async write(bytes) {
      for (let sent = 0; sent < bytes.length;) sent += await writer.write(bytes.subarray(sent));
    },
    close,
  };
}
