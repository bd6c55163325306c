'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { PRODUCTS, findProducts, productById } = require('../lib/catalogue');

test('every product has an id of its own', () => {
  const ids = new Set(PRODUCTS.map((product) => product.id));
  assert.strictEqual(ids.size, PRODUCTS.length);
});

test('a product is found by its id', () => {
  assert.strictEqual(productById('filters-100').cents, 490);
  assert.strictEqual(productById('tea'), undefined);
});

test('products are found by category and words', () => {
  assert.strictEqual(findProducts().length, PRODUCTS.length);
  assert.deepStrictEqual(findProducts({ category: 'cups' }).map((product) => product.id), ['mug-stone', 'espresso-pair']);
  assert.deepStrictEqual(
    findProducts({ category: 'beans', search: 'Roast OFFICE' }).map((product) => product.id),
    ['sidamo-1000', 'huila-1000'],
  );
  assert.deepStrictEqual(findProducts({ search: 'teapot' }), []);
});
