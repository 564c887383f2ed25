/** Executes a run that another process has started: `runner.ts <place> <run>`. Prints what its spans are linked to. */
import process from "node:process";
import { createTracing } from "../../lib/otel/mod.ts";
import { createRunner } from "../../mod.ts";
import type { Place } from "../place.ts";
import { keepSpans, linksOf } from "./spans.ts";
import { flow } from "./flow.ts";

const [json, id] = process.argv.slice(2) as [string, string];
const { url, options }: Place = JSON.parse(json);
const spans = keepSpans();
{
  await using runner = await createRunner(url, { ...options, workflows: [flow], tracing: createTracing() });
  await runner.get(id).result();
}
console.log(JSON.stringify(spans.ended().map((span) => [span.name, linksOf(span)])));
