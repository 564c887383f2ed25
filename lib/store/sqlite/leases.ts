import type { Session } from "./session.ts";

const IS_JOINED = `select 1 from runners where id = $1`;

const IS_ALIVE = `select 1 from runners where id = $1 and lease_until > $2`;

/** Whether the store knows the runner: nobody has taken it for dead. */
export function isJoined(session: Session, runner: number): boolean {
  return session.get(IS_JOINED, runner) !== undefined;
}

/** Whether the runner's lease holds. */
export function isAlive(session: Session, runner: number, now: number): boolean {
  return session.get(IS_ALIVE, runner, now) !== undefined;
}
