import { contextOf } from "../engine/client/client_context.ts";
import { sendUnchecked } from "../engine/client/send.ts";
import { type Command, parseJson, withClient } from "./call.ts";
import { loadWorkflows } from "./load_workflows.ts";
import { UsageError } from "./usage.ts";

/** The exit code if the message is not accepted. */
export const NOT_ACCEPTED = 3;

/** Sends a message to an event task. */
export const send: Command = {
  name: "send",
  summary: "Sends a message to an event task of a run",
  args: ["store", "run", "task", "[payload]"],
  options: {
    workflows: {
      type: "string",
      value: "module",
      text: "a module that exports the workflow, whose schema validates the payload",
    },
    unchecked: { type: "boolean", text: "send the payload as it is, without the schema of the event" },
  },
  notes: "The first message to a task is accepted. A later one is not, and the exit code is 3.",
  async execute(call) {
    const { args: { run = "", task = "", payload: text }, values: { workflows: path }, flags, terminal } = call;
    if ((path === undefined) === !flags.has("unchecked")) {
      throw new UsageError(
        path === undefined
          ? "the schema of an event is in the code of its workflow; add --workflows=<module> to validate the payload, or " +
            "--unchecked to send it as it is"
          : "--workflows and --unchecked exclude each other",
      );
    }
    const json = text === "-" ? await terminal.read() : text;
    const payload = json === undefined ? undefined : parseJson(json, "<payload>");
    const workflows = path === undefined ? [] : await loadWorkflows(path);
    const { accepted } = await withClient(
      call,
      workflows,
      (client) =>
        path === undefined
          ? sendUnchecked(contextOf(client)!, run, { taskId: task, payload })
          : client.send(run, task, payload),
    );
    if (flags.has("json")) terminal.print(JSON.stringify({ accepted }));
    else {
      terminal.print(
        accepted
          ? `Task "${task}" accepted the message.`
          : `Task "${task}" did not accept the message: it already has one, or no longer waits.`,
      );
    }
    return accepted ? 0 : NOT_ACCEPTED;
  },
};
