import { StoreError } from "../../errors.ts";
import { faultOf, isFromServer, isTransient, messageOf, storeError } from "./faults.ts";
import type { Role, Session } from "./session.ts";

const OLDEST_SERVER = 140_000;

const LOOK = `
select current_setting('server_version_num')::integer as version,
       current_setting('transaction_read_only') as read_only,
       current_setting('server_encoding') as encoding,
       @now as server_now`;

/**
 * Connects, checks the server and calls `prepare`, which migrates the schema. While the server is down or out of
 * connections, it retries for at most `timeoutMs`; it throws permanent errors at once.
 *
 * @throws {StoreError} If the database cannot be used; the message contains the remedy.
 */
export async function openSession<T>(
  session: Session,
  { timeoutMs, readOnly }: { readonly timeoutMs: number; readonly readOnly: boolean },
  prepare: (session: Session) => Promise<T>,
): Promise<T> {
  const { name, logger } = session;
  const since = performance.now();
  for (let tries = 0;; tries++) {
    try {
      await look(session, readOnly);
      return await prepare(session);
    } catch (error) {
      const fault = faultOf(error);
      if (isPoolers(error)) throw poolerError(error, name);
      if (!isTransient(fault) || fault === "read_only") throw storeError(error, name, "open");
      const waitedMs = performance.now() - since;
      if (waitedMs >= timeoutMs) {
        throw new StoreError(
          "cannot_connect",
          `Cannot open Postgres database ${name}: ${messageOf(error)} (waited ${
            Math.round(waitedMs)
          } ms); check that ` +
            "the server runs, accepts connections from here, and has four of them to spare",
        );
      }
      if (tries === 0) {
        logger.warn(`Waiting for Postgres database ${name}: ${messageOf(error)}`, { atMostMs: timeoutMs });
      }
      const ms = Math.min(20 * 2 ** Math.min(tries, 6), 1_000) * (0.5 + Math.random() / 2);
      await new Promise((resolve) => setTimeout(resolve, Math.min(ms, timeoutMs - waitedMs + 1)));
    }
  }
}

/** Whether a pooler such as PgBouncer refuses a setting of the connection that only a server supports. */
function isPoolers(error: unknown): boolean {
  return isFromServer(error) && /unsupported (startup|connection) parameter/i.test(messageOf(error));
}

function poolerError(error: unknown, name: string): StoreError {
  return new StoreError(
    "unsupported_pooler",
    `Cannot open Postgres database ${name}: a pooler such as PgBouncer is before it and refuses the settings of the ` +
      `connection (${
        messageOf(error)
      }); open it with postgresStore(url, { prepare: false }), or createPostgresPool(), ` +
      "and leave settings out of the URL",
  );
}

/** Opens all connections at once: a connection that is refused later would be retried silently. */
async function look(session: Session, readOnly: boolean): Promise<void> {
  const roles: readonly Role[] = ["care", "flush", "heartbeat", "read"];
  const answers = await Promise.allSettled(roles.map((role) => session.single(role, LOOK, [session.at])));
  const failed = answers.find((answer) => answer.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  const [first] = answers;
  const seen = first?.status === "fulfilled" ? first.value[0] : undefined;
  check(session.name, seen ?? {}, readOnly);
}

function check(name: string, seen: Readonly<Record<string, unknown>>, readOnly: boolean): void {
  if (Number(seen["version"]) < OLDEST_SERVER) {
    throw new StoreError(
      "unsupported_server",
      `Cannot use Postgres database ${name}: the server has version ${
        Number(seen["version"]) / 10_000
      }; Sluice needs 14 or newer`,
    );
  }
  if (seen["read_only"] === "on" && !readOnly) {
    throw new StoreError(
      "read_only",
      `Cannot use Postgres database ${name}: the server is a replica, or the database or role is read-only; Sluice ` +
        "needs the primary",
    );
  }
  if (seen["encoding"] !== "UTF8") {
    throw new StoreError(
      "unsupported_encoding",
      `Cannot use Postgres database ${name}: its encoding is ${seen["encoding"]}; Sluice needs one with encoding UTF8`,
    );
  }
}
