const fs = require("fs");
const { größe } = require("./sub/helper");

const [mode, ...args] = process.argv.slice(2);
if (mode === "ordinary") {
  console.log("hello");
  console.log(args.join("|"));
  process.stdout.write(fs.readFileSync("data/in.txt"));
  console.log(größe());
  process.stdout.write(fs.readFileSync(0));
  process.exitCode = 3;
} else if (mode === "raise") {
  throw new Error("boom é");
} else if (mode === "sleep") {
  console.log("before");
  setTimeout(() => {}, 60000);
} else if (mode === "memory") {
  const kept = [];
  for (;;) kept.push({ number: kept.length, text: "v" + kept.length });
} else {
  for (;;) fs.writeSync(1, "flood".repeat(100) + "\n");
}
