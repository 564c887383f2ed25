/**
 * Codes of the errors that Sluice throws for callers to catch, except those of a `StoreError`. Each is the code of one
 * class with a similar name, such as `"run_failed"` of `RunFailedError`. The exceptions: `"invalid_definition"` is the
 * code of `DefinitionError`, `"validation_failed"` of `ValidationError`, `"unstorable_payload"` and
 * `"payload_too_large"` of `PayloadError`, `"deferred"` of `DeferError`.
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
 * Names and URLs:
 * - `invalid_url`: the URL of the store cannot be parsed, or has a parameter that Sluice does not support
 * - `invalid_schema`, `invalid_role`: the name of a schema or role is not allowed
 * - `driver_missing`: the package of the database driver is not installed
 *
 * Opening:
 * - `cannot_connect`: the server cannot be reached within the timeout
 * - `cannot_open`: the file cannot be opened or created
 * - `login_failed`: the server rejects user or password
 * - `no_database`: the server has no database of this name
 * - `not_a_database`: the file is not a SQLite database
 * - `no_schema`: the tables are missing, and the store cannot create them
 * - `older_schema`, `newer_schema`: another version of Sluice created the tables
 * - `schema_locked`: another session locks the tables, such as a dump
 * - `foreign_tables`: tables of another application have the names that Sluice needs
 * - `sequence_behind`: a sequence is behind its table, as after logical replication
 * - `setting_refused`, `wal_refused`: SQLite does not accept a setting or the journal mode that Sluice needs
 * - `unsupported_encoding`, `unsupported_pooler`, `unsupported_server`: the server or its pooler cannot be used so
 *
 * Use:
 * - `store_closed`: the store was closed
 * - `file_replaced`: the file was deleted, moved or replaced while it was open
 * - `schema_gone`: the schema was removed or changed while it was in use
 * - `corrupt`, `corrupt_row`: the file is damaged, or a row contains what Sluice did not write
 * - `refused_row`: the database refuses to store a value
 * - `read_only`: the store, the file or the server is read-only
 * - `not_permitted`: the role or the user lacks a right
 * - `database_busy`: another session holds a lock
 * - `database_error`: any other error of the database; see `cause`
 *
 * Transactions:
 * - `invalid_transaction`: `tx` is not an open transaction on the database of the store
 * - `transaction_ended`: the body of a transaction ended it
 * - `transaction_lost`: the server ended the transaction, or its connection was lost
 *
 * Tenants:
 * - `foreign_owner`: the schema or its tables belong to a role that the login does not trust
 * - `not_a_tenant`: the schema contains no tables of Sluice
 * - `role_taken`: a role of this name exists that `createTenant()` did not create for the tenant
 * - `tenant_in_use`: other objects depend on the tenant
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
