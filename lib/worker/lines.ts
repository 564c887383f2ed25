import { MOST_MESSAGE_BYTES, ProtocolError } from "./protocol.ts";

const LINE_FEED = 10;

/** Splits bytes into lines. */
export interface Lines {
  /**
   * Returns the lines that end in a part of the bytes, without their line feeds; empty ones are left out.
   *
   * @throws {ProtocolError} If a line is too long or not UTF-8.
   */
  add(bytes: Uint8Array): readonly string[];
}

/** Creates a splitter at the beginning of a line. */
export function createLines(mostBytes: number = MOST_MESSAGE_BYTES): Lines {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  /** The beginning of the line that has not ended. */
  let parts: Uint8Array[] = [];
  let size = 0;
  return {
    add(bytes) {
      const lines: string[] = [];
      let from = 0;
      for (let at = bytes.indexOf(LINE_FEED); at >= 0; at = bytes.indexOf(LINE_FEED, from)) {
        keep(bytes.subarray(from, at));
        const line = text();
        if (line !== "") lines.push(line);
        from = at + 1;
      }
      // A copy: the caller may use its buffer again.
      if (from < bytes.length) keep(bytes.slice(from));
      return lines;
    },
  };

  function keep(part: Uint8Array): void {
    size += part.length;
    if (size >= mostBytes) {
      throw new ProtocolError("protocol_error", `Cannot read a message: it is longer than ${mostBytes} bytes`);
    }
    parts.push(part);
  }

  function text(): string {
    const [first, ...others] = parts;
    const line = others.length === 0 ? first ?? new Uint8Array() : joined();
    parts = [];
    size = 0;
    try {
      return decoder.decode(line).trim();
    } catch {
      throw new ProtocolError("protocol_error", "Cannot read a message: it is not UTF-8");
    }
  }

  function joined(): Uint8Array {
    const line = new Uint8Array(size);
    let at = 0;
    for (const part of parts) {
      line.set(part, at);
      at += part.length;
    }
    return line;
  }
}
