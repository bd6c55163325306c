import test, { describe, it, before, after, beforeEach, mock } from 'node:test';
import assert from 'node:assert/strict';
import add, { count, bump, base, Thing as T } from './lib/math.mjs';
import * as cjs from './lib/common.js';
import { hello } from './lib/common.js';
import pkg from 'pkg';
import path from 'node:path';
import { EventEmitter, once } from 'node:events';
import { promisify, inspect } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';

const order = [];
before(() => order.push('before'));
after(() => order.push('after'));

test('imports are live', () => {
  assert.equal(count, 0);
  bump();
  assert.equal(count, 1);
  assert.equal(add(1, 2), 3);
  assert.equal(base, 7);
  assert.equal(new T().constructor.name, 'Thing');
  assert.equal(add.name, 'add');
});
test('CommonJS is imported', () => { assert.equal(hello('x'), 'hello x'); assert.equal(cjs.default.hello('y'), 'hello y'); assert.equal(pkg, 'imported'); });
test('dynamic import', async () => { const m = await import('./lib/math.mjs'); assert.equal(m.default(2, 3), 5); });
test('timers', async (t) => {
  const began = Date.now();
  await sleep(5000);
  assert.equal(Date.now() - began, 5000);
  await t.test('sub', () => { assert.ok(true); });
  await t.test('sub two', async () => { await sleep(3); });
});
test('done callback', (t, done) => { setTimeout(done, 10); });
test('path', () => { assert.equal(path.join('/a', '../b', 'c.js'), '/b/c.js'); assert.equal(path.basename('/x/y.js', '.js'), 'y'); assert.equal(path.relative('/a/b', '/a/c/d'), '../c/d'); });
test('events', async () => { const e = new EventEmitter(); setTimeout(() => e.emit('x', 5), 1); const [v] = await once(e, 'x'); assert.equal(v, 5); class B extends EventEmitter {}; const b = new B(); let n = 0; b.on('q', () => n++); b.emit('q'); assert.equal(n, 1); });
test('mocks', () => { const f = mock.fn((a) => a + 1); assert.equal(f(1), 2); assert.equal(f.mock.callCount(), 1); assert.deepEqual(f.mock.calls[0].arguments, [1]); });
test('method mocks', (t) => { const o = { m() { return 1; } }; t.mock.method(o, 'm', () => 2); assert.equal(o.m(), 2); assert.equal(o.m.mock.callCount(), 1); });
test('node message', () => { assert.throws(() => cjs.boom({}), /Cannot read properties of undefined \(reading 'b'\)/); assert.throws(() => cjs.boom({}), TypeError); });
test('left out', { skip: 'why' }, () => { throw new Error('no'); });
test.todo('later');
describe('group', () => {
  let n = 0;
  beforeEach(() => { n += 1; });
  it('one', () => assert.equal(n, 1));
  it('two', () => assert.equal(n, 2));
  describe('inner', () => { it('three', async () => { await null; assert.equal(n, 3); }); });
});
test('rejects', async () => { await assert.rejects(async () => { throw new RangeError('bad'); }, { name: 'RangeError', message: 'bad' }); });
test('meta', () => { assert.equal(import.meta.filename, '/after/a.test.mjs'); });
test('function text is the original', () => { function foo(a) { return bar(a); } assert.equal(foo.toString(), 'function foo(a) { return bar(a); }'); });
test('recursion overflow is catchable', () => { function f(n) { return f(n + 1) + 1; } assert.throws(() => f(0), RangeError); });
