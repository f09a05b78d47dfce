import { createReadStream, createWriteStream, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { pipeline } from "node:stream/promises";
import { createGzip, gunzipSync } from "node:zlib";
import { createHash, randomUUID } from "node:crypto";

let lines = 0;
for await (const line of createInterface({ input: process.stdin })) lines += line.length;
console.log(lines);
await pipeline(createReadStream("streams.mjs"), createGzip(), createWriteStream("x.gz"));
console.log(gunzipSync(readFileSync("x.gz")).equals(readFileSync("streams.mjs")));
console.log(createHash("sha256").update("x").digest("hex").slice(0, 8), randomUUID().length);
console.log(new Intl.NumberFormat("de-DE").format(1234567.5), "ß".toUpperCase());
console.log(WebAssembly.validate(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])));
// Output:
// 0
// true
// 2d711642 36
// 1.234.567,5 SS
// true
