/** The SQL condition of the journal rows that a fork copies from its original run: only results are copied. */
export const IS_COPIED = "(state = 'completed' or state = 'skipped' or state = 'failed')";
