import type { Session } from "./session.ts";

const IS_JOINED = `select 1 from runners where id = $1 and not dead`;

/** Returns whether a runner is registered and not declared dead. */
export function isJoined(session: Session, runner: number): boolean {
  return session.get(IS_JOINED, runner) !== undefined;
}
