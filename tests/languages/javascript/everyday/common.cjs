const path = require("node:path");
const { execFileSync, fork, spawn } = require("node:child_process");

console.log(module.id, path.basename(__filename), require.main === module);
if (process.argv[2] === "child") {
  process.send("from the child");
} else {
  console.log(execFileSync("tr", ["a-z", "A-Z"], { input: "through tr" }).toString());
  fork(__filename, ["child"], { stdio: ["ignore", "ignore", "inherit", "ipc"] })
    .on("message", message => console.log(message))
    .on("exit", code => spawn("sh", ["-c", "exit 4"]).on("exit", status => console.log(code, status)));
}
// Output:
// . common.cjs true
// THROUGH TR
// from the child
// 0 4
