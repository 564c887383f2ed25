import type { Command } from "./call.ts";

/** Serves the inspector. */
export const inspect: Command = {
  name: "inspect",
  summary: "Serves the inspector of a database on this machine, until it is interrupted",
  args: ["store"],
  options: {
    port: { type: "string", value: "number", text: "the port on localhost (default: 8484; 0 selects a free port)" },
    title: { type: "string", value: "text", text: "the title of the pages" },
    redact: {
      type: "string",
      value: "path",
      isList: true,
      text: "hides a field of payloads, such as input.password or **.token",
    },
  },
  notes: "It needs the package hono. The database is opened read-only. Ctrl-C stops it.",
  async execute({ args: { store = "" }, values, lists: { redact }, terminal }) {
    const { port, schema, title } = values;
    // Loaded here, as no other command needs its package.
    const { serveStore } = await import("../inspector/command.ts");
    await serveStore(store, { port, redact, schema, title }, terminal.print);
    return 0;
  },
};
