import { StoreError } from "../../../errors.ts";
import { codeOf, faultOf, isFromServer, isTransient, messageOf, storeError } from "../connect/faults.ts";
import { createPauses, jittered } from "../../shared/pauses.ts";
import type { Role, Session } from "../connect/session.ts";

const OLDEST_SERVER = 140_000;

const LOOK = `
select current_setting('server_version_num')::integer as version,
       current_setting('server_encoding') as encoding,
       @now as server_now`;

/** After this time, or half of the time that it has, a line in the log says what the opening waits for. */
const WARN_AFTER_MS = 10_000;

/** How often a missing schema or table is seen before it is held to be missing for good. */
const MOST_TIMES_GONE = 5;

/**
 * Connects, checks the server and calls `prepare`, which migrates the schema. While the server is down, read-only or
 * out of connections, it retries; it throws permanent errors at once, and that of a missing table after a few tries. All of it takes at most `timeoutMs`, also if the
 * server accepts connections and does not respond: the caller then closes the connections.
 *
 * @throws {StoreError} If the database cannot be used; the message contains the remedy.
 */
export async function openSession<T>(
  session: Session,
  timeoutMs: number,
  prepare: (session: Session) => Promise<T>,
): Promise<T> {
  const { name, logger } = session;
  const since = performance.now();
  const pauses = createPauses();
  const late = Promise.withResolvers<never>();
  let waitsFor = "it does not respond";
  let failure: unknown;
  let hasWarned = false;
  let isLate = false;
  const warning = setTimeout(warn, Math.min(WARN_AFTER_MS, timeoutMs / 2));
  const deadline = setTimeout(() => {
    isLate = true;
    late.reject(tooLate());
  }, timeoutMs);
  try {
    return await Promise.race([open(), late.promise]);
  } finally {
    isLate = true;
    clearTimeout(warning);
    clearTimeout(deadline);
    pauses.end();
  }

  async function open(): Promise<T> {
    let timesGone = 0;
    for (let tries = 0;; tries++) {
      try {
        await look(session);
        waitsFor = "it responds, and its schema is being prepared";
        return await prepare(session);
      } catch (error) {
        const fault = faultOf(error);
        if (isPoolers(error)) throw poolerError(error, name);
        // A session that has waited for another one to create the schema sees its rows at once, but may learn of its name
        // a moment later.
        const isNew = fault === "schema_gone" && ++timesGone < MOST_TIMES_GONE;
        if (!isNew && !isTransient(fault)) throw storeError(error, name, "open");
        failure = error;
        waitsFor = messageOf(error);
        if (!isNew) warn();
        if (isLate) throw tooLate();
        const leftMs = timeoutMs - (performance.now() - since);
        await pauses.pause(Math.max(1, Math.min(pauseMs(tries), leftMs)));
      }
    }
  }

  function warn(): void {
    if (hasWarned || isLate) return;
    hasWarned = true;
    logger.warn(`Waiting for Postgres database ${name}: ${waitsFor}`, { atMostMs: timeoutMs });
  }

  function tooLate(): StoreError {
    const waited = `(waited ${Math.round(performance.now() - since)} ms)`;
    if (faultOf(failure) === "read_only") {
      return new StoreError(
        "read_only",
        `Cannot open Postgres database ${name}: ${waitsFor} ${waited}; Sluice needs the primary`,
      );
    }
    if (codeOf(failure) === "55P03") {
      return new StoreError(
        "schema_locked",
        `Cannot open Postgres database ${name}: ${waitsFor} ${waited}; wait for its end, such as that of a dump, or end ` +
          "it (pg_locks names the process)",
      );
    }
    return new StoreError(
      "cannot_connect",
      `Cannot open Postgres database ${name}: ${waitsFor} ${waited}; check that the server runs, accepts connections ` +
        "from here, and has four of them free",
    );
  }
}

function pauseMs(tries: number): number {
  return jittered(Math.min(20 * 2 ** Math.min(tries, 6), 1_000));
}

/** Whether a pooler such as PgBouncer refuses a setting of the connection that only a server supports. */
function isPoolers(error: unknown): boolean {
  return isFromServer(error) && /unsupported (startup|connection) parameter/i.test(messageOf(error));
}

function poolerError(error: unknown, name: string): StoreError {
  return new StoreError(
    "unsupported_pooler",
    `Cannot open Postgres database ${name}: a pooler such as PgBouncer refuses the settings of the ` +
      `connection (${
        messageOf(error)
      }); open it with openPostgresStore(url, { prepare: false }), or createPostgresPool(), ` +
      "and leave settings out of the URL",
  );
}

/** Opens all connections at once: a connection that is refused later would be retried silently. */
async function look(session: Session): Promise<void> {
  const roles: readonly Role[] = ["care", "flush", "heartbeat", "read"];
  const answers = await Promise.allSettled(roles.map((role) => session.single(role, LOOK, [session.at])));
  const failed = answers.find((answer) => answer.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  const [first] = answers;
  const seen = first?.status === "fulfilled" ? first.value[0] : undefined;
  check(session.name, seen ?? {});
}

function check(name: string, seen: Readonly<Record<string, unknown>>): void {
  if (Number(seen["version"]) < OLDEST_SERVER) {
    throw new StoreError(
      "unsupported_server",
      `Cannot use Postgres database ${name}: the server has version ${
        Number(seen["version"]) / 10_000
      }; Sluice needs 14 or newer`,
    );
  }
  if (seen["encoding"] !== "UTF8") {
    throw new StoreError(
      "unsupported_encoding",
      `Cannot use Postgres database ${name}: its encoding is ${seen["encoding"]}; Sluice needs one with encoding UTF8`,
    );
  }
}
