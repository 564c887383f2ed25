import { ITEM_STATES, type UnstartedItem } from "../engine/reading/item_page.ts";
import { isOver } from "../engine/reading/run_reader.ts";
import type { ErrorRecord } from "../errors.ts";
import type { JournalHead } from "../store/port/inspection.ts";
import type { RunRow } from "../store/port/store.ts";
import { attemptsOf } from "./attempts.ts";
import { payloadOf, progressOf, type TextBudgets, textBudgets, withinBudget } from "./bounded_texts.ts";
import type { ItemDetail, ItemsPage } from "./item_shape.ts";
import { definitionOf } from "./load_definition.ts";
import { numberOf, textOf } from "./query.ts";
import { answer, type Asked, linkTo, type Reading, Refusal } from "./reading.ts";
import { rowOf } from "./run_row.ts";
import { cellOf, type CellPart, countsOf, itemsOf, type StoredMap, storedMap } from "./stored_maps.ts";

const FEWEST = 200;
const MOST = 500;
const LAST_ITEM = 2_147_483_647;

/** Characters of an output that a page of items contains. */
const HEAD = 300;

/** The most items that one request filters by state. */
const MOST_SEARCHED = 50_000;

/**
 * Items of a map, in pages. A page reads its own items, and the states of all items for the counts.
 *
 * @throws {Refusal} If there is no such run or map, or a parameter is invalid.
 */
export async function loadItems(reading: Reading, { params, query }: Asked): Promise<ItemsPage> {
  const { context: { store }, path } = reading;
  const { id = "", task = "" } = params;
  const state = stateOf(query);
  const from = numberOf(query, "from", 0, LAST_ITEM) ?? 0;
  const limit = numberOf(query, "limit", 1, MOST) ?? FEWEST;
  const row = await rowOf(reading, id);
  const map = await mapOf(reading, row, task);
  const page = await itemsOf(reading, map, {
    state,
    after: from - 1,
    limit,
    searched: MOST_SEARCHED,
    characters: HEAD,
  });
  const counts = countsOf(map, await store.itemCounts(row.seq));
  const isSearch = state !== undefined && !page.isLast && page.items.length < limit;
  const hrefOf = (start: number): string => {
    const more = [
      ...state === undefined ? [] : [["state", state]],
      ...start <= 0 ? [] : [["from", `${start}`]],
      ...limit === FEWEST ? [] : [["limit", `${limit}`]],
    ];
    return `${path("runs", id, "tasks", task, "items")}${more.length === 0 ? "" : `?${new URLSearchParams(more)}`}`;
  };
  const budgets = textBudgets();
  return {
    ...answer(reading),
    run: {
      ...linkTo(row, reading),
      workflow: row.workflow,
      startedAt: row.startedAt ?? row.createdAt,
      endedAt: row.endedAt,
    },
    taskId: task,
    counts,
    state,
    from,
    items: page.items.map((item) => detailOf({ reading, map, budgets, ...page }, item)),
    firstHref: path("runs", id, "tasks", task, "items"),
    previousHref: state === undefined && from > 0 ? hrefOf(from - limit) : undefined,
    nextHref: page.isLast ? undefined : hrefOf(page.end + 1),
    searchedTo: isSearch ? page.end : undefined,
  };
}

function stateOf(query: URLSearchParams): ItemsPage["state"] {
  const text = textOf(query, "state");
  if (text === undefined) return undefined;
  const states = Object.keys(ITEM_STATES) as (keyof typeof ITEM_STATES)[];
  const known = states.find((state) => state === text);
  if (known === undefined) throw new Refusal(400, `state must be one of ${states.join(", ")}`);
  return known;
}

async function mapOf(reading: Reading, row: RunRow, task: string): Promise<StoredMap> {
  const own = { seq: row.seq, task, after: -2, until: -1, limit: 1, characters: 0, bytes: 0 };
  const [[head], definition] = await Promise.all([
    reading.context.store.inspection.items(own),
    definitionOf(reading, row),
  ]);
  const defined = definition?.tasks.find(({ id }) => id === task);
  if (head?.items === undefined && defined?.kind !== "map") throw new Refusal(404, "There is no map with this id");
  return storedMap({ row, task, head }, defined);
}

function detailOf(
  { budgets, ...part }: CellPart & { readonly budgets: TextBudgets },
  item: JournalHead | UnstartedItem,
): ItemDetail {
  const { reading: { redactor, path }, map } = part;
  const { row, task } = map;
  const head = "state" in item ? item : undefined;
  const cell = cellOf(part, item);
  const hide = (error: ErrorRecord): ErrorRecord =>
    withinBudget(redactor.error(["tasks", task, "error"], error), budgets);
  const history = attemptsOf(cell.state, head, isOver(row.state) || map.isTaskOver, hide);
  return {
    ...cell,
    reason: redactor.text(["tasks", task, "reason"], head?.reason),
    startedAt: head?.startedAt,
    endedAt: head?.endedAt,
    dueAt: head?.dueAt,
    output: payloadOf(budgets, {
      text: head?.output,
      bytes: head?.outputBytes,
      href: path("api", "runs", row.id, "tasks", task, "items", `${item.item}`, "output"),
      most: HEAD,
      redact: (text) => redactedItem(part.reading, { task, item: item.item, text }),
    }),
    error: history.findLast(({ error }) => error !== undefined)?.error,
    history,
    progress: progressOf(redactor.json(["tasks", task, "progress"], head?.progress ?? "null")),
  };
}

/** The redacted output of an item. In the output of a map that collects, it is the member `value`. */
export function redactedItem(
  { redactor }: Reading,
  { task, item, text }: { readonly task: string; readonly item: number; readonly text: string },
): string {
  const path = ["tasks", task, "output", `${item}`];
  return redactor.json([...path, "value"], redactor.json(path, text));
}
