/** The maximum bytes of inputs and journals that a claim returns, unless its first run alone exceeds it. */
export const MOST_CLAIM_BYTES: number = 2 * 1024 * 1024;

/** The approximate bytes of memory of a claimed run, in addition to its input and journal. */
export const RUN_BYTES = 512;

/** The approximate bytes of memory of a journal row, in addition to its failures. */
export const HEAD_BYTES = 256;

/** The number of journal rows of a run to measure: more are too large for a claim that contains other runs. */
export const MOST_HEADS: number = MOST_CLAIM_BYTES / HEAD_BYTES;

/** The number of rows to read or decode between two yields to the event loop: about two milliseconds of work. */
export const SLICE_ROWS = 500;
