/** Where messages go; `console` is one. Payloads and passwords never appear in them. */
export interface Logger {
  /** Details for somebody who looks for a fault. */
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** What is good to know. */
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** What went wrong and was mended. */
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** What went wrong and needs somebody. */
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** Says nothing. */
export const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** A logger whose throwing changes nothing: a run is worth more than a line about it. */
export function harmless(logger: Logger): Logger {
  if (logger === silent) return silent;
  return { debug: to("debug"), info: to("info"), warn: to("warn"), error: to("error") };

  function to(level: keyof Logger): Logger["info"] {
    return (message, fields) => {
      try {
        logger[level](message, fields);
      } catch {
        // There is nobody left to tell.
      }
    };
  }
}
