import type { TaskDefinition } from "../../definition/definition.ts";

/** An arrow function without parameters: it has no `arguments` of its own. */
const NO_PARAMETERS = /^(?:async\s*)?\(\s*\)\s*=>/;

/** Whether a function of a task may read what the task receives, such as the outputs of its dependencies. */
export function mayReadOutputs(task: TaskDefinition): boolean {
  return functionsOf(task).some((code) => typeof code === "function" && !takesNothing(code));
}

// A function whose text is not its source, such as a bound function, is not an arrow function.
function takesNothing(code: { readonly length: number }): boolean {
  return code.length === 0 && NO_PARAMETERS.test(Function.prototype.toString.call(code));
}

function functionsOf(task: TaskDefinition): readonly unknown[] {
  const ofLimits = task.limits.flatMap(({ key, weight }) => [key, weight]);
  return [task.when, task.onSuccess, task.onFailure, ...ofLimits, ...ownFunctionsOf(task)];
}

type Body = TaskDefinition | Extract<TaskDefinition, { readonly kind: "map" }>["each"];

function ownFunctionsOf(task: Body): readonly unknown[] {
  switch (task.kind) {
    case "task":
    case "transaction":
      return [task.run, task.undo];
    case "map":
      return [task.over, ...ownFunctionsOf(task.each)];
    case "subworkflow":
      return [task.input, task.key];
    case "sleep":
      return [task.for, task.until];
    case "event":
      return [];
  }
}
