import type { StoredDefinition } from "../engine/catalog.ts";
import { isEnd } from "../engine/reading/item_page.ts";
import type { JournalHead } from "../store/port/inspection.ts";
import type { RunRow } from "../store/port/store.ts";
import { isOfForward } from "../store/shared/undo_rows.ts";
import type { ItemCell, MapDetail } from "./map_shape.ts";
import type { Reading } from "./reading.ts";
import { cellOf, countsOf, itemsOf, type StoredMap, storedMap } from "./stored_maps.ts";

const MOST_DRAWN = 10;
const MOST_CELLS = 100;

/** The maps of a run: their counts, and the first items of up to ten maps, unfinished maps first. */
export async function loadMaps(
  reading: Reading,
  row: RunRow,
  heads: readonly JournalHead[],
  definition: StoredDefinition | undefined,
): Promise<ReadonlyMap<string, MapDetail>> {
  const maps = heads.filter(({ items }) => items !== undefined);
  if (maps.length === 0) return new Map();
  const counts = await reading.context.store.itemCounts(row.seq);
  const defined = new Map(definition?.tasks.map((task) => [task.id, task]));
  const openFirst = maps.toSorted((a, b) => Number(isEnd(a.state)) - Number(isEnd(b.state)));
  const drawn = new Set(openFirst.filter(({ task }) => isOfForward(task)).slice(0, MOST_DRAWN));
  return new Map(
    await Promise.all(maps.map(async (head): Promise<[string, MapDetail]> => {
      const map = storedMap({ row, task: head.task, head }, defined.get(head.task));
      const cells = drawn.has(head) ? await cellsOf(reading, map) : [];
      const href = reading.path("runs", row.id, "tasks", head.task, "items");
      return [head.task, { counts: countsOf(map, counts), href, cells }];
    })),
  );
}

async function cellsOf(reading: Reading, map: StoredMap): Promise<readonly ItemCell[]> {
  const first = { after: -1, limit: MOST_CELLS, state: undefined, searched: 0, characters: 0 };
  const { items, children, undos } = await itemsOf(reading, map, first);
  return items.map((item) => cellOf({ reading, map, children, undos }, item));
}
