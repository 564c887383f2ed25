import type { EventDefinition } from "../../definition/definition.ts";
import type { Mailbox } from "../../store/port/messages.ts";
import { hasMessage, messageOf } from "../runs/run_messages.ts";
import type { Kind } from "./kind.ts";

/** Waits for a message, which is its output. If its time-out passes first, it completes without output. */
export const eventKind: Kind<EventDefinition, Mailbox | { readonly kind: "empty" }> = {
  call(attempt, _task, port) {
    const { unit } = attempt;
    if (hasMessage(unit)) return { kind: "message", payload: messageOf(unit) };
    // A message that was accepted in the meantime is received, although the time-out has passed.
    return attempt.wokenBy === "time" ? port.closeMailbox(attempt) : { kind: "empty" };
  },
  end(_attempt, mailbox, port, { waitMs }) {
    switch (mailbox.kind) {
      case "message":
        return { kind: "returned", output: mailbox.payload };
      case "closed":
        return { kind: "returned", output: undefined };
      case "empty":
        return {
          kind: "suspended",
          wake: { message: true, at: waitMs === undefined ? undefined : port.now() + waitMs },
          reason: "message",
        };
    }
  },
};
