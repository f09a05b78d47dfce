// What node does at the first use of what nearly every program uses, done before there is a program:
// its streams, its console, the loader of modules.  Nothing is written, and nothing stays behind.
(() => {
  const {stdout, stderr} = process;
  for (const stream of [stdout, stderr]) {
    stream.write = () => true;
  }
  console.log("%s %d", "a", 1, [{b: 2}], new Map([[3, null]]));
  console.error("a");
  for (const stream of [stdout, stderr]) {
    delete stream.write;
  }
  const Module = process.getBuiltinModule?.("module");
  if (Module !== undefined) {
    for (const name of ["fs", "os", "path", "readline", "util"]) {
      process.getBuiltinModule(name);
    }
    new Module("/workspace/rehearsal")._compile("module.exports = require('fs') && 1;",
                                                "/workspace/rehearsal.js");
  }
})();
