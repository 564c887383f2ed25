/**
 * The columns of the table `runs`: for each its type, its value in a new run, and the field that it is decoded to. The
 * schema, the inserts, the projections and the decoders of both databases follow from this table, so that a new column
 * is an entry here, a field of `NewRun` if starts set it, and a field of `ListedRun` or `ClaimedRun` if it is read.
 *
 * Nothing that the normal end of a run changes is in an index, as a column or in a predicate, except for the owner on
 * SQLite: Postgres then writes the new version of the row to the same page and no index (a HOT update). So indexes name
 * the computed columns `unowned`, `rare_state`, `notified`, `key_freed` and `debouncing`, which are null before and
 * after such an end, instead of `owner`, `state`, `ended_at` and `acknowledged`.
 *
 * The order is the order in the database. On Postgres columns of fixed width come first, without gaps between them. The
 * log contains of a new version of a row what stands between the first and the last byte that changed, so the columns
 * that a claim changes are adjacent (`started_at` to `state`), as are those that the end changes (`owner` to
 * `last_output`). With `unowned` at the end of the row the log contained each input twice: a claim wrote 129 instead of 189 bytes if the
 * input has 8 bytes, and 1,000 bytes more if the input has as many (tests/floors_test.ts).
 *
 * @module
 */
import type { Debounce } from "../port/debounced.ts";
import type { ParentTask } from "../port/inserted_child.ts";
import { given, option, type RunColumn } from "./columns.ts";
import { createReader, type Decode, isTexts, STORED_STATES } from "./decode.ts";
import { encodeRunLimits } from "./run_limits.ts";
import { decodeClosing, decodeError, decodeState } from "./run_states.ts";

const { text, optionalText, integer, optionalInteger, json } = createReader("runs", "seq");

const EVERYWHERE = ["listed", "single", "claimed"] as const;
const REPORTED = ["listed", "single"] as const;
const OUTLINED = ["listed", "single", "outline"] as const;
const ALWAYS = ["listed", "single", "claimed", "outline"] as const;

const decodeCount: Decode<number> = (row, column) => optionalInteger(row, column) ?? 0;
const decodeOptionalTags = json(isTexts);
const decodeTags: Decode<readonly string[]> = (row, column) => decodeOptionalTags(row, column) ?? [];
const decodeKeyScope: Decode<"active" | undefined> = (row, column) => row[column] === "active" ? "active" : undefined;
const decodeDebounce: Decode<Debounce | undefined> = (row, column) => {
  const key = optionalText(row, column);
  if (key === undefined) return undefined;
  const [delayMs, maxDelayMs] = [integer(row, "debounce_ms"), optionalInteger(row, "debounce_max_ms")];
  return { key, delayMs, maxDelayMs, replaced: decodeCount(row, "replaced") };
};
const decodeParent: Decode<ParentTask | undefined> = (row, column) => {
  const run = optionalInteger(row, column);
  return run === undefined ? undefined : { run, task: text(row, "parent_task"), item: integer(row, "parent_item") };
};

const UNOWNED = "owner is null and (state = 'pending' or state = 'waiting')";
// The states of most runs are compared first.
const RARE = "state <> 'completed' and state <> 'running' and " +
  "(state = 'paused' or state = 'failed' or state = 'cancelled')";

/** The columns, with the types of their fields. */
export const COLUMNS = {
  seq: { type: "key", field: "seq", decode: integer, read: ALWAYS },
  priority: {
    type: "bigint",
    constraint: "not null default 0",
    start: option(({ priority }) => priority, 0),
    field: "priority",
    decode: integer,
    read: EVERYWHERE,
  },
  due_at: {
    type: "bigint",
    // A run that its runner cannot own is due immediately.
    start: {
      ...given(({ owner, fork, dueAt }) => owner === undefined || fork ? dueAt : undefined),
      owned: ":now",
      // A run with limits is due once it has its places.
      pending: "case when :limits is null then coalesce(:this, :now) end",
    },
    field: "dueAt",
    decode: optionalInteger,
    read: REPORTED,
  },
  created_at: {
    type: "bigint",
    constraint: "not null",
    start: { owned: ":now", pending: ":now" },
    field: "createdAt",
    decode: integer,
    read: OUTLINED,
  },
  timeout_ms: {
    type: "bigint",
    start: option(({ timeoutMs }) => timeoutMs),
    field: "timeoutMs",
    decode: optionalInteger,
    read: EVERYWHERE,
  },
  paused_at: { type: "bigint" },
  // The number of the parent run, with the task and the item of the parent that started this run.
  parent: {
    type: "bigint",
    start: option(({ parent }) => parent?.run),
    field: "parent",
    decode: decodeParent,
    read: EVERYWHERE,
  },
  // Of a child whose task was retried and has started another child: its own number; see `runs_parent`.
  superseded: { type: "bigint" },
  tick: {
    type: "bigint",
    start: option(({ schedule }) => schedule?.tick),
    field: "tick",
    decode: optionalInteger,
    read: REPORTED,
  },
  attention: {
    type: "integer",
    constraint: "not null default 0",
    field: "attention",
    decode: integer,
    read: ["claimed"],
  },
  acknowledged: { type: "integer", constraint: "not null default 0" },
  debounce_ms: { type: "bigint", start: option(({ debounce }) => debounce?.delayMs), read: REPORTED },
  debounce_max_ms: { type: "bigint", start: option(({ debounce }) => debounce?.maxDelayMs), read: REPORTED },
  // When a run asks for the places that its limits demand; -1 while it waits for them, null once it has them.
  gate_at: {
    type: "bigint",
    start: { owned: undefined, pending: "case when :limits is not null then coalesce(:due_at, :now) end" },
    field: "gateAt",
    decode: optionalInteger,
    read: REPORTED,
  },
  id: {
    type: "uuid",
    constraint: "not null unique",
    start: given(({ id }) => id),
    field: "id",
    decode: text,
    read: EVERYWHERE,
  },
  started_at: {
    type: "bigint",
    start: { owned: ":now", pending: undefined },
    field: "startedAt",
    decode: optionalInteger,
    read: ALWAYS,
  },
  deadline_at: {
    type: "bigint",
    start: { owned: ":now + :timeout_ms", pending: undefined },
    field: "deadlineAt",
    decode: optionalInteger,
    read: EVERYWHERE,
  },
  // On Postgres identifies the runs of a claim whose response was lost; null on SQLite, where it costs a byte.
  claimed_by: { type: "bigint" },
  epoch: {
    type: "integer",
    constraint: "not null",
    // The initial results of a fork are read by its first claim, so they count as those of a first epoch.
    start: { owned: "1", pending: "case when :forked_from is null then 0 else 1 end" },
    field: "epoch",
    decode: integer,
    read: EVERYWHERE,
  },
  // 1 for a run that waits for an owner.
  unowned: { type: "integer", computed: `case when ${UNOWNED} then 1 end`, present: UNOWNED },
  // The number of starts that a debounced run has replaced.
  replaced: { type: "integer", start: option(({ debounce }) => debounce?.replaced), read: REPORTED },
  crashes: { type: "integer", field: "crashes", decode: decodeCount, read: EVERYWHERE },
  crashed_epoch: { type: "integer" },
  parent_item: { type: "integer", start: option(({ parent }) => parent?.item), read: EVERYWHERE },
  depth: {
    type: "integer",
    start: option(({ depth }) => depth === 0 ? undefined : depth),
    field: "depth",
    decode: decodeCount,
    read: ["claimed"],
  },
  owner: {
    type: "bigint",
    start: { owned: ":owner", pending: undefined },
    field: "owner",
    decode: optionalInteger,
    read: REPORTED,
  },
  ended_at: { type: "bigint", field: "endedAt", decode: optionalInteger, read: OUTLINED },
  // The last result of a completed run: see last_result.ts.
  last_started_at: { type: "bigint" },
  state: {
    type: { oneOf: STORED_STATES },
    constraint: "not null",
    start: { owned: "'running'", pending: "'pending'" },
    field: "state",
    decode: decodeState,
    read: OUTLINED,
  },
  last_task: { type: "name" },
  last_output: { type: "text" },
  workflow: {
    type: "name",
    constraint: "not null",
    start: given(({ workflow }) => workflow),
    field: "workflow",
    decode: text,
    read: ALWAYS,
  },
  version: {
    type: "name",
    constraint: "not null",
    start: given(({ version }) => version),
    field: "version",
    decode: text,
    read: ALWAYS,
  },
  key: { type: "name", start: option(({ key }) => key), field: "key", decode: optionalText, read: REPORTED },
  parent_task: { type: "name", start: option(({ parent }) => parent?.task), read: EVERYWHERE },
  schedule: {
    type: "name",
    start: option(({ schedule }) => schedule?.name),
    field: "schedule",
    decode: optionalText,
    read: REPORTED,
  },
  // "active" if the run holds its key only until it ends; null if for ever, or without a key.
  key_scope: {
    type: "name",
    start: option(({ keyScope }) => keyScope),
    field: "keyScope",
    decode: decodeKeyScope,
    read: REPORTED,
  },
  debounce_key: {
    type: "name",
    start: option(({ debounce }) => debounce?.key),
    field: "debounce",
    decode: decodeDebounce,
    read: REPORTED,
  },
  stranded_by: { type: "name", field: "strandedBy", decode: optionalText, read: REPORTED },
  forked_from: {
    type: "name",
    start: option(({ fork }) => fork?.from),
    field: "forkedFrom",
    decode: optionalText,
    read: REPORTED,
  },
  // Of a run that is to end: see `Closing` in hand_over.ts.
  closing: {
    type: "name",
    field: "closing",
    decode: decodeClosing,
    read: REPORTED,
    beside: ["outline", "claimed"],
  },
  reason: { type: "text", field: "reason", decode: optionalText, read: REPORTED, beside: ["claimed"] },
  tags: {
    type: "text",
    start: option(({ tags }) => tags.length === 0 ? undefined : JSON.stringify(tags)),
    field: "tags",
    decode: decodeTags,
    read: EVERYWHERE,
  },
  error: { type: "text", field: "error", decode: decodeError, read: REPORTED, beside: ["claimed"] },
  input: {
    type: "text",
    start: given(({ input }) => input),
    field: "input",
    decode: optionalText,
    read: ["single", "claimed"],
  },
  trace: {
    type: "text",
    start: option(({ trace }) => trace),
    field: "trace",
    decode: optionalText,
    read: EVERYWHERE,
  },
  // The places that the limits of the workflow demand of the run (see sql/limits/gated.ts).
  limits: { type: "text", start: option(({ limits }) => limits === undefined ? undefined : encodeRunLimits(limits)) },
  // The state of runs that are few, and found by it.
  rare_state: { type: "name", computed: `case when ${RARE} then state end`, present: RARE },
  // Of a run that has ended and no longer holds its key: its own number; see `runs_active_key`.
  key_freed: { type: "bigint", computed: "case when key_scope = 'active' and ended_at is not null then seq end" },
  // The debounce key of a run that the next start with it replaces: one that was never claimed.
  debouncing: {
    type: "name",
    computed: "case when epoch = 0 and ended_at is null then debounce_key end",
    present: "epoch = 0 and ended_at is null and debounce_key is not null",
  },
  // The owner of a run with external changes that the owner has not acknowledged.
  notified: {
    type: "bigint",
    computed: "case when attention > acknowledged then owner end",
    present: "attention > acknowledged and owner is not null",
  },
} as const satisfies Readonly<Record<string, RunColumn>>;

/** The columns of the table, by name. */
export const RUN_COLUMNS: ReadonlyMap<string, RunColumn> = new Map(Object.entries(COLUMNS));
