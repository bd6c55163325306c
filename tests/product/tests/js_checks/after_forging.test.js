const test = require('node:test');
const assert = require('node:assert');

test('the surroundings are as they were', () => {
  assert.strictEqual(JSON.stringify({ a: [1] }), '{"a":[1]}');
  const list = [];
  list.push(1);
  assert.strictEqual(list.length, 1);
  assert.ok(Promise.resolve() instanceof Promise);
  assert.deepStrictEqual([...'ab'], ['a', 'b']);
  assert.strictEqual('abc'.slice(1), 'bc');
  assert.strictEqual(Object.prototype.skip, undefined);
  assert.ok(!Object.is(1, 2));
});

test('promises work', async () => {
  await assert.rejects(Promise.reject(new Error('x')), /x/);
});
