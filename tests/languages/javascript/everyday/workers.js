const { Worker, isMainThread, parentPort, workerData } = require("node:worker_threads");

if (isMainThread) {
  const results = [];
  for (const number of [1, 2, 3]) {
    new Worker(__filename, { workerData: number }).on("message", result => results.push(result));
  }
  process.on("exit", () => console.log(results.sort().join()));
  const shared = new Int32Array(new SharedArrayBuffer(4));
  Atomics.add(shared, 0, 5);
  console.log(shared[0]);
} else {
  parentPort.postMessage(workerData * workerData);
}
// Output:
// 5
// 1,4,9
