/** What the runtime itself takes to print a line. */
console.log("completed");
