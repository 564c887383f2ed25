import { systemClock } from "../clock.ts";
import { openStore } from "../store/open.ts";
import { type Command, terminalLogger } from "./call.ts";

/** Creates or migrates the tables of a store. */
export const migrate: Command = {
  name: "migrate",
  summary: "Creates the tables of a database, or migrates them to this version of Sluice",
  args: ["store"],
  options: {},
  notes:
    "Runners and clients do this when they open a database; this command does it before a deploy. It can be repeated.",
  async execute({ args: { store: target = "" }, values: { schema }, flags, terminal }) {
    const logger = terminalLogger(terminal);
    const { store, close } = await openStore(target, { schema, durability: "power", clock: systemClock, logger });
    const { name } = store;
    await close();
    terminal.print(flags.has("json") ? JSON.stringify({ migrated: true }) : `${name} is up to date.`);
    return 0;
  },
};
