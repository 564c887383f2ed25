import { ref, type Schema, SCHEMAS } from "./openapi_schemas.ts";

interface Operation {
  readonly summary: string;
  /** Names of what is in the query, with what it means. */
  readonly query?: Readonly<Record<string, { readonly description: string; readonly isList?: boolean }>>;
  /** Content type and schema of the answer. */
  readonly answer: readonly [type: string, schema: Schema];
}

const JSON_TYPE = "application/json";

const RUNS_QUERY: Operation["query"] = {
  workflow: { description: "Only runs of this workflow" },
  state: { description: "Only runs in this state, or in one of these", isList: true },
  tag: { description: "Only runs with this tag, or with all of these", isList: true },
  since: { description: "Only runs inserted at this time or later: milliseconds since the epoch, or ISO 8601" },
  until: { description: "Only runs inserted before this time" },
  q: { description: "Only runs whose id or key begins like this, or with this very tag" },
  limit: { description: "At most so many, up to 500; 50 unless said otherwise" },
  cursor: { description: "What the page before answered" },
};

const VERSION_QUERY: Operation["query"] = {
  version: { description: "The version of which the graph and the tasks are told; the latest unless said otherwise" },
};

const ITEMS_QUERY: Operation["query"] = {
  state: { description: "Only items in this state: `running`, `waiting`, `blocked`, `completed` or `failed`" },
  from: { description: "Only items from this index on" },
  limit: { description: "At most so many, up to 500; 200 unless said otherwise" },
};

const LIMITS_QUERY: Operation["query"] = { limit: { description: "Only the limit with this name" } };

const OPERATIONS: Readonly<Record<string, Operation>> = {
  ...page("/runs", "Runs, newest first", "RunsPage", RUNS_QUERY),
  ...page("/runs/{id}", "One run, its payloads cut", "RunPage"),
  ...page("/runs/{id}/tasks/{task}/items", "Items of a map, their outputs cut", "ItemsPage", ITEMS_QUERY),
  ...page("/workflows", "The workflows that runners have brought", "WorkflowsPage"),
  ...page(
    "/workflows/{name}",
    "One workflow with its versions and the graph of one of them",
    "WorkflowPage",
    VERSION_QUERY,
  ),
  ...page("/schedules", "The schedules", "SchedulesPage"),
  ...page(
    "/limits",
    "The limits in use by key, with what holds their places and what waits",
    "LimitsPage",
    LIMITS_QUERY,
  ),
  ...page("/runners", "The runners, and what waits for them", "RunnersPage"),
  "/api/runs/{id}/input": { summary: "What a run was started with, whole", answer: [JSON_TYPE, {}] },
  "/api/runs/{id}/tasks/{task}/output": { summary: "What a task answered, whole", answer: [JSON_TYPE, {}] },
  "/api/runs/{id}/tasks/{task}/items/{item}/output": {
    summary: "What the body answered for an item of a map, whole",
    answer: [JSON_TYPE, {}],
  },
  "/api/runs/{id}/tasks/{task}/steps/{name}": { summary: "What a step answered, whole", answer: [JSON_TYPE, {}] },
  "/api/live": {
    summary:
      "Server-sent events: `changed` when there is something new to fetch, `ended` when nothing can change any more",
    query: {
      run: { description: "The run to watch; without it all lists are watched" },
      seen: { description: "What was seen last, as the page's own link to here says" },
    },
    answer: ["text/event-stream", { type: "string" }],
  },
  "/api/openapi.json": { summary: "This document", answer: [JSON_TYPE, { type: "object" }] },
  "/metrics": { summary: "Numbers in the text format of Prometheus", answer: ["text/plain", { type: "string" }] },
  "/healthz": { summary: "Whether the store can be read", answer: [JSON_TYPE, ref("Health")] },
  "/": { summary: "Leads to the runs", answer: ["text/html", { type: "string" }] },
};

/** The document that describes the API, in OpenAPI 3.1. */
export function openapi(title: string, basePath: string): string {
  const paths = Object.entries(OPERATIONS).map(([path, operation]) => [path, { get: described(path, operation) }]);
  return JSON.stringify({
    openapi: "3.1.0",
    info: { title, version: "1", description: "Read-only. A member that has no value is left out." },
    servers: [{ url: basePath === "" ? "/" : basePath }],
    paths: Object.fromEntries(paths),
    components: { schemas: SCHEMAS },
  });
}

function page(path: string, summary: string, shape: string, query?: Operation["query"]): Record<string, Operation> {
  const more = query === undefined ? {} : { query };
  return {
    [`/api${path}`]: { summary, answer: [JSON_TYPE, ref(shape)], ...more },
    [path]: { summary: `${summary}: a page`, answer: ["text/html", { type: "string" }], ...more },
  };
}

function described(path: string, { summary, query = {}, answer: [type, schema] }: Operation): Schema {
  const problem = (description: string): Schema => ({
    description,
    content: { [JSON_TYPE]: { schema: ref("Problem") } },
  });
  const text = { type: "string" };
  return {
    summary,
    parameters: [
      ...[...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({ name, in: "path", required: true, schema: text })),
      ...Object.entries(query).map(([name, { description, isList = false }]) => ({
        name,
        in: "query",
        description,
        schema: isList ? { type: "array", items: text } : text,
      })),
    ],
    responses: {
      [path === "/" ? "302" : "200"]: path === "/"
        ? { description: "To the runs" }
        : { description: "The answer", content: { [type]: { schema } } },
      "400": problem("What was asked for cannot be understood"),
      "403": problem("Whoever asks may not read this"),
      "404": problem("There is no such thing"),
      "500": problem("The store could not be read"),
      "503": problem("The store does not answer, or too many are watching"),
    },
  };
}
