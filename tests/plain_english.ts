/**
 * Words that STYLE forbids in what users read: archaic or vague ones, metaphors, and runners and functions that act like
 * people. A sentence that needs one of them has a plainer form, which names the component and what it does.
 */
const FORBIDDEN = new RegExp(
  `\\b(?:${
    [
      ...["whoever", "somebody", "nobody", "by way of", "hand(?:s|ed)? back", "taken for dead", "trying again"],
      ...["(?:is|are|was|were) told", "c[oa]mes? to rest", "go(?:es)? on", "went on", "carr(?:y|ies) on", "brought"],
      ...["not further", "something else than", "is none of", "mended", "all that is recorded", "taken up"],
      ...["in its place", "as often as needed", "unless said otherwise", "be it", "moved? by hand"],
    ].join("|")
  })\\b`,
  "gi",
);

/** Returns the forbidden words of a text, with white space as one blank. */
export function forbiddenWords(text: string): readonly string[] {
  return [...text.replaceAll(/\s+/g, " ").matchAll(FORBIDDEN)].map(([words]) => words.toLowerCase());
}
