const assert = require("node:assert");
const test = require("node:test");

test("adds", () => assert.strictEqual(1 + 1, 2));
test("waits", async t => {
  await new Promise(resolve => setTimeout(resolve, 10));
  await t.test("inside", () => assert.deepStrictEqual({ a: [1] }, { a: [1] }));
});
test("fails", { todo: true }, () => assert.fail("not yet"));
// Output has:
// ok 2 - waits
// # fail 0
// # todo 1
