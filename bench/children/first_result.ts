/** A program that ends with its first result. */
import { createRunner, workflow } from "../../mod.ts";

const greet = workflow("greet").task("hello", { run: () => "hello" }).returns("hello");
const runner = await createRunner("sqlite::memory:", { workflows: [greet] });
const outcome = await runner.execute(greet);
console.log(outcome.status);
await runner.stop();
