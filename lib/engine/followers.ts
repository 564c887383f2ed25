/** Ids of all tasks that depend on one of `ids`, directly or through others; those themselves only if they do. */
export function followersOf(
  tasks: readonly { readonly id: string; readonly after: readonly string[] }[],
  ids: Iterable<string>,
): Set<string> {
  const dependents = new Map<string, string[]>();
  for (const { id, after } of tasks) {
    for (const dependency of after) {
      const known = dependents.get(dependency);
      if (known === undefined) dependents.set(dependency, [id]);
      else known.push(id);
    }
  }
  const followers = new Set<string>();
  const open = [...ids];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    for (const dependent of dependents.get(id) ?? []) {
      if (followers.has(dependent)) continue;
      followers.add(dependent);
      open.push(dependent);
    }
  }
  return followers;
}
