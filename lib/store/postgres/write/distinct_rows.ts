import type { JournalRecord, RecordWrite } from "../../port/batch.ts";

/** Keeps one row per unit and step, as a statement cannot write a row twice: the first terminal row, or the last. */
export function distinctRows(records: readonly RecordWrite[]): readonly RecordWrite[] {
  // Two rows of the same unit and step are not both new.
  if (records.length < 2 || records.every(({ isNew }) => isNew === true)) return records;
  const last = new Map<string, RecordWrite>();
  for (const record of records) {
    const name = JSON.stringify([record.task, record.item, record.step]);
    const before = last.get(name);
    if (before === undefined) last.set(name, record);
    else if (isOpen(before)) last.set(name, replaced(before, record));
  }
  return last.size === records.length ? records : [...last.values()];
}

/** A row in the place of the row before it in the same write, of which it keeps what is written once. */
function replaced({ isNew, items, input }: RecordWrite, record: RecordWrite): RecordWrite {
  return { ...record, isNew: isNew === true, items: record.items ?? items, input: record.input ?? input };
}

function isOpen({ state }: JournalRecord): boolean {
  return state === "running" || state === "waiting" || state === "blocked" || state === "pending";
}
