/** Marks errors of Sluice; shared by all copies of this library in the process. */
const BRAND = Symbol.for("@sluice/sluice/error");

/** Whether a value is an error of Sluice, also of another copy of this library. Never throws. */
export function isSluiceError(value: unknown): value is SluiceError {
  try {
    return value instanceof Error && BRAND in value;
  } catch {
    // A proxy threw.
    return false;
  }
}

/** Base of every error that Sluice throws for callers to catch. */
export class SluiceError extends Error {
  /** Name of the class. */
  override name = "SluiceError";
  /**
   * Stable code for programs: an `ErrorCode`, or one of the codes of a `StoreError`. An error that was read from a store
   * has the code that was recorded.
   */
  readonly code: string;
  static {
    Object.defineProperty(this.prototype, BRAND, { value: true });
  }
  /** Creates an error with a stable code. */
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
