/**
 * The port: the interface of a store, with the types of its methods, for those who write a store for another database. A
 * store that implements it is passed to `createRunner()` and `createClient()` instead of a URL.
 *
 * Unlike the other entries, this one can change in any release.
 *
 * @module
 */
export type { Clock } from "../clock.ts";
export type { ErrorRecord, Failure } from "../errors.ts";
export type { Logger } from "../logger.ts";
export type {
  Batch,
  Claim,
  ClaimedRun,
  ClaimRequest,
  FinalVerdict,
  Fork,
  Heads,
  JournalRecord,
  NewRun,
  Receipt,
  RecordHead,
  RecordWrite,
  RunEnding,
  RunMove,
  RunState,
  RunWrite,
  Served,
  StartVerdict,
  TaskState,
  WriteVerdict,
} from "./port/batch.ts";
export type { ChildEnd, ChildWait } from "./port/children.ts";
export type {
  Acknowledgement,
  ControlledRun,
  ControlRequest,
  ControlResult,
  RestartedTasks,
  RestartRequest,
  RestartResult,
  TagChange,
  TagResult,
} from "./port/control.ts";
export type { Debounce } from "./port/debounced.ts";
export type { OwnedChild, ParentTask } from "./port/inserted_child.ts";
export type {
  Capped,
  DefinitionRow,
  FailureGroup,
  Failures,
  FailuresQuery,
  HeadsQuery,
  Inspection,
  ItemHeadsQuery,
  JournalHead,
  JournalHeads,
  Outcomes,
  OutcomesQuery,
  Outline,
  PayloadName,
  Search,
  SearchQuery,
  Tally,
  TaskChildrenQuery,
  Timing,
} from "./port/inspection.ts";
export type { ItemRange } from "./port/item_range.ts";
export type {
  Closing,
  DeleteResult,
  ListedRun,
  ListQuery,
  ParkedGroup,
  PruneTimes,
  RunQuery,
  RunSelection,
} from "./port/listing.ts";
export type {
  Granted,
  HeldStart,
  LanePermit,
  LaneRef,
  LaneRow,
  LanesQuery,
  LeftStart,
  LimitAnswer,
  LimitExchange,
  LimitLook,
  LimitRule,
  LimitStore,
  PermitAsk,
  PermitHolder,
  PermitRequest,
  RunLimits,
  WhenFull,
} from "./port/limits.ts";
export type {
  BlockedUnit,
  Delivery,
  Mailbox,
  Message,
  MessageAddress,
  SendRequest,
  SendResult,
} from "./port/messages.ts";
export type { JournalOutput, OutputsRequest } from "./port/outputs.ts";
export type {
  Change,
  Fact,
  Group,
  ItemCount,
  ItemsQuery,
  RunCounts,
  RunRow,
  Store,
  StoreCounters,
} from "./port/store.ts";
export type { InboxEntry, OwnedRun, RecoverRequest, Recovery, Renewal, RunnerCard, RunnerRow } from "./port/runners.ts";
export type {
  ScheduleQuery,
  ScheduleRecord,
  ScheduleRow,
  ScheduleStore,
  ScheduleVerdict,
  ScheduleWrite,
} from "./port/schedules.ts";
export type { TransactionRequest, TransactionVerdict } from "./port/transactions.ts";
