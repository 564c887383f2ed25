/**
 * The engine for programs in other languages: it serves the worker protocol, which docs/worker-protocol.md describes, over
 * standard input and output or a Unix socket. The worker defines workflows as data and executes the bodies.
 *
 * `deno run -A jsr:@sluice/sluice/worker` serves the process that has started it, and ends with it. Exit codes: 0 after the
 * worker has left, 2 if it sent an invalid message, 1 for wrong arguments. With `--socket PATH` it
 * serves every process that connects, until it receives SIGTERM or SIGINT.
 *
 * @module
 */
export { type ServeEnd, type ServeOptions, serveWorker } from "./serve.ts";
export { type Endpoint, type Transport, transportOver } from "./transport.ts";

if (import.meta.main) {
  const [{ main }, { default: process }] = await Promise.all([import("./main.ts"), import("node:process")]);
  // A read of standard input is pending, and a store may hang: neither may keep the process from its end.
  process.exit(await main(process.argv.slice(2)));
}
