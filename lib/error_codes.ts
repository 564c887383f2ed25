/**
 * Codes of the errors that Sluice throws for callers to catch, except those of a `StoreError`. Each is the code of one
 * class, named alike, such as `"run_failed"` of `RunFailedError`. The exceptions: `"invalid_definition"` is
 * `DefinitionError`, `"validation_failed"` is `ValidationError`, `"unstorable_payload"` and `"payload_too_large"` are
 * `PayloadError`. Bodies throw `NonRetryableError`, `RetryAfterError` and `DeferError`, which is `"deferred"`.
 */
export type ErrorCode =
  | "invalid_definition"
  | "validation_failed"
  | "unstorable_payload"
  | "payload_too_large"
  | "unknown_workflow"
  | "unknown_task"
  | "unknown_schedule"
  | "run_not_found"
  | "run_state"
  | "run_failed"
  | "run_cancelled"
  | "run_timeout"
  | "wait_timeout"
  | "task_timeout"
  | "step_timeout"
  | "lease_lost"
  | "shutdown"
  | "queue_full"
  | "key_conflict"
  | "recovery_limit"
  | "limit_reached"
  | "non_retryable"
  | "retry_after"
  | "deferred";

/**
 * Codes of a `StoreError`.
 *
 * - The URL: `invalid_url`; `invalid_schema` and `invalid_role` for a name that cannot be used; `driver_missing` if the
 *   package of the driver is not installed.
 * - Opening: `cannot_connect`, `cannot_open`, `login_failed`, `no_database`, `not_a_database`, `no_schema` (there are no tables
 *   and the store may not create them), `older_schema` and `newer_schema` (made by another version of Sluice), `schema_locked`,
 *   `foreign_tables` (tables of another application have the names), `sequence_behind`, `setting_refused`, `wal_refused`,
 *   `unsupported_encoding`, `unsupported_pooler`, `unsupported_server`.
 * - While it is used: `store_closed`, `file_replaced`, `schema_gone`, `corrupt`, `corrupt_row`, `refused_row`, `read_only`,
 *   `not_permitted`, `database_busy`, `database_error`.
 * - Transactions: `invalid_transaction` (`tx` is none on the database of the store), `transaction_ended` (the body ended it),
 *   `transaction_lost` (the server ended it).
 * - Tenants: `foreign_owner`, `not_a_tenant`, `role_taken`, `tenant_in_use`.
 */
export type StoreErrorCode =
  | "invalid_url"
  | "invalid_schema"
  | "invalid_role"
  | "driver_missing"
  | "cannot_connect"
  | "cannot_open"
  | "login_failed"
  | "no_database"
  | "not_a_database"
  | "no_schema"
  | "older_schema"
  | "newer_schema"
  | "schema_locked"
  | "foreign_tables"
  | "sequence_behind"
  | "setting_refused"
  | "wal_refused"
  | "unsupported_encoding"
  | "unsupported_pooler"
  | "unsupported_server"
  | "store_closed"
  | "file_replaced"
  | "schema_gone"
  | "corrupt"
  | "corrupt_row"
  | "refused_row"
  | "read_only"
  | "not_permitted"
  | "database_busy"
  | "database_error"
  | "invalid_transaction"
  | "transaction_ended"
  | "transaction_lost"
  | "foreign_owner"
  | "not_a_tenant"
  | "role_taken"
  | "tenant_in_use";
