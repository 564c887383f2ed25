/** Receives log lines; `console` is a logger. Log lines never contain payloads or passwords. */
export interface Logger {
  /** Details for debugging. */
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** Normal events. */
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** Problems from which the engine recovers by itself. */
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** Problems that need an operator. */
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** A logger that discards every line. */
export const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** Wraps a logger so that an error of it is ignored: a failed log line must not fail a run. */
export function harmless(logger: Logger): Logger {
  if (logger === silent) return silent;
  return { debug: to("debug"), info: to("info"), warn: to("warn"), error: to("error") };

  function to(level: keyof Logger): Logger["info"] {
    return (message, fields) => {
      try {
        logger[level](message, fields);
      } catch {
        // There is no other place to report it.
      }
    };
  }
}
