import fs from "node:fs/promises";
import { createRequire } from "node:module";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);
await fs.mkdir("lib/deep", { recursive: true });
await fs.writeFile("lib/deep/es.mjs", "export default 'es'; export const é = 1;");
await fs.writeFile("lib/common.cjs", "module.exports = { name: 'common' };");
await fs.writeFile("lib/data.json", '{"a": [1, 2]}');
await wait(10);
const es = await import("./lib/deep/es.mjs");
console.log(es.default, es.é, (await import("./lib/common.cjs")).default.name);
console.log(require("./lib/common.cjs").name, require("./lib/data.json").a.length);
console.log(fileURLToPath(import.meta.url));
// Output:
// es 1 common
// common 2
// /workspace/modules.mjs
