/**
 * Words that STYLE forbids in texts for users: archaic or vague words, metaphors, and verbs that describe runners and
 * functions as people. Such a sentence has a plainer form, which names the component and its action.
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

/** Returns the forbidden words of a text, with whitespace replaced by one space. */
export function forbiddenWords(text: string): readonly string[] {
  return [...text.replaceAll(/\s+/g, " ").matchAll(FORBIDDEN)].map(([words]) => words.toLowerCase());
}
