import type { TagChange, TagResult } from "../port/control.ts";
import type { RunSelection } from "../port/listing.ts";
import { decodeListedRun, SINGLE_COLUMNS } from "../shared/run_rows.ts";
import { MOST_TAGS } from "../../text_limits.ts";
import { type Dialect, texts } from "./dialect.ts";
import { all, change, type Op, transaction } from "./operation.ts";
import { selected } from "./run_filter.ts";
import { raw, sql } from "./statement.ts";

/**
 * Changes the tags of those of the selected runs that match. Returns how many it has changed, and the id of a run that
 * would have more tags than a run may have: then it changes none.
 */
export function* tagMany(db: Dialect, selection: RunSelection, { add, remove }: TagChange): Op<TagResult> {
  const lost = new Set(remove);
  return yield* transaction(function* (): Op<TagResult> {
    const rows = yield* all(sql`
select ${raw(SINGLE_COLUMNS)}
  from @runs
 where ${selected(db, selection)}
 order by seq desc${db.forUpdate}`);
    const changes = rows.map(decodeListedRun).flatMap(({ id, seq, tags }) => {
      const next = [...tags.filter((tag) => !lost.has(tag)), ...add.filter((tag) => !tags.includes(tag))];
      const isSame = next.length === tags.length && next.every((tag, at) => tag === tags[at]);
      return isSame ? [] : [{ id, seq, tags: next }];
    });
    const full = changes.find(({ tags }) => tags.length > MOST_TAGS)?.id;
    if (full !== undefined || changes.length === 0) return { changed: 0, full };
    const tagged = db.rows("t", {
      run: { type: "bigint", items: changes.map(({ seq }) => seq) },
      listed: texts(changes.map(({ tags }) => tags.length === 0 ? "" : JSON.stringify(tags))),
    });
    yield* change(sql`
update @runs
   set tags = nullif(t.listed, '')
  from ${tagged}
 where seq = t.run`);
    return { changed: changes.length, full: undefined };
  });
}
