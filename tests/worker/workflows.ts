/** A workflow of one task, whose function is `body`. */
export const ONE = {
  name: "one",
  version: "1",
  returns: "only",
  tasks: [{ id: "only", run: { fn: "body" }, retry: 1 }],
};
