const assert = require('node:assert');
const test = require('node:test');

test('an assertion', () => { assert.strictEqual(1, 2); });
test('a rejection', async () => { await null; throw new Error('late'); });
test('a rejection that nobody handles', () => {
  const work = async () => {
    await null;
    throw new Error('lost');
  };
  work();
});
test('never settles', () => new Promise(() => {}));
test('exit', () => { process.exit(0); });
test('exit that is caught', () => {
  try {
    process.exit(0);
  } catch {
    // It tried.
  }
});
test('a timer that throws', async () => {
  setTimeout(() => { throw new Error('in a timer'); }, 1);
  await new Promise((resolve) => setTimeout(resolve, 5));
});
test('done is called with an error', (t, done) => { setTimeout(() => done(new Error('told')), 1); });
test('too slow', { timeout: 50 }, () => new Promise((resolve) => setTimeout(resolve, 100)));
test('honest', () => {});
