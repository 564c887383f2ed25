import type { Store } from "../port/store.ts";
import { checkStore } from "./check.ts";
import { readChildEnds, readChildren } from "./children.ts";
import { compensateChild } from "./compensation.ts";
import { areAcknowledged, control, controlMany, readInbox } from "./control.ts";
import { define, readDefinition, unstrand } from "./definitions.ts";
import { deleteMany, deleteRun } from "./delete_run.ts";
import { controlChildren } from "./descendants.ts";
import { readGroups, readUnowned } from "./groups.ts";
import { listNumbers, listRuns } from "./listing.ts";
import { closeMailbox, readBlocked, readDeliveries, readMessages, send } from "./messages.ts";
import type { Database } from "./operation.ts";
import { createPrune } from "./prune.ts";
import { leave, recover } from "./recovery.ts";
import { restart } from "./restart.ts";
import { readRunners } from "./runners.ts";
import { readEnded, readFacts, readItemCounts, readItems, readJournal, readRun } from "./runs.ts";
import { tagMany } from "./tags.ts";
import { countRuns } from "./tally.ts";

/** The methods of a store that are the same on both databases. */
export type SharedMethods = Pick<
  Store,
  | "define"
  | "definition"
  | "unstrand"
  | "run"
  | "ended"
  | "journal"
  | "itemCounts"
  | "items"
  | "facts"
  | "list"
  | "numbers"
  | "groups"
  | "unowned"
  | "counts"
  | "check"
  | "prune"
  | "deleteRun"
  | "deleteMany"
  | "tagMany"
  | "control"
  | "controlMany"
  | "inbox"
  | "areAcknowledged"
  | "send"
  | "messages"
  | "deliveries"
  | "closeMailbox"
  | "blocked"
  | "controlChildren"
  | "children"
  | "childEnds"
  | "compensateChild"
  | "leave"
  | "recover"
  | "restart"
  | "restartMany"
  | "runners"
>;

/** Makes the methods of a store on a database. */
export function createMethods({ dialect: db, execute }: Database): SharedMethods {
  const prune = createPrune(db);
  return {
    define: (definitions) => execute(define(db, definitions)),
    definition: (served) => execute(readDefinition(served)),
    unstrand: (served) => execute(unstrand(db, served)),
    run: (id) => execute(readRun(id)),
    ended: (ids) => execute(readEnded(db, ids)),
    journal: (seq) => execute(readJournal(db, seq)),
    itemCounts: (seq) => execute(readItemCounts(db, seq)),
    items: (query) => execute(readItems(query)),
    facts: (seq) => execute(readFacts(seq)),
    list: (query) => execute(listRuns(db, query)),
    numbers: (query) => execute(listNumbers(db, query)),
    groups: () => execute(readGroups(db)),
    unowned: (group, limit) => execute(readUnowned(db, group, limit)),
    check: () => execute(checkStore(db)),
    counts: () => execute(countRuns(db)),
    deleteRun: (id) => execute(deleteRun(db, id)),
    deleteMany: (selection) => execute(deleteMany(db, selection)),
    tagMany: (selection, tags) => execute(tagMany(db, selection, tags)),
    prune: (before, limit) => execute(prune(before, limit)),
    control: (runId, request) => execute(control(db, runId, request)),
    controlMany: (selection, request) => execute(controlMany(db, selection, request)),
    inbox: (runner) => execute(readInbox(runner)),
    areAcknowledged: (changes) => execute(areAcknowledged(db, changes)),
    send: (runId, message) => execute(send(db, runId, message)),
    messages: (runs) => execute(readMessages(db, runs)),
    deliveries: (run) => execute(readDeliveries(run)),
    blocked: (limit) => execute(readBlocked(limit)),
    closeMailbox: (run, task) => execute(closeMailbox(db, run, task)),
    controlChildren: (run, request, task) => execute(controlChildren(db, run, request, task)),
    children: (run) => execute(readChildren(run)),
    childEnds: (waits) => execute(readChildEnds(db, waits)),
    compensateChild: (child, reason) => execute(compensateChild(db, child, reason)),
    leave: (runner) => execute(leave(db, runner)),
    recover: (request) => execute(recover(db, request)),
    restart: async (run, tasks) => (await execute(restart(db, [{ ...run, ...tasks }])))[0]!,
    restartMany: (requests) => execute(restart(db, requests)),
    runners: () => execute(readRunners(db)),
  };
}
