/** A program that only prints a line: the cost of the runtime itself. */
console.log("completed");
