'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { InvalidOrder, confirm, orderNumber, parseOrder } = require('../lib/orders');

const body = (changes = {}) => ({
  items: [{ id: 'huila-250', quantity: 1 }],
  customer: { name: ' Grace ', address: { street: 'Ring 7', city: 'Köln', country: 'de' } },
  coupon: ' summer10 ',
  ...changes,
});

test('an order is read and put into one form', () => {
  assert.deepStrictEqual(parseOrder(body()), {
    items: [{ id: 'huila-250', quantity: 1 }],
    customer: { name: 'Grace', address: { street: 'Ring 7', city: 'Köln', country: 'DE' } },
    coupon: 'SUMMER10',
    delivery: 'post',
  });
});

test('who picks an order up gives no address', () => {
  assert.deepStrictEqual(parseOrder(body({ delivery: 'pickup' })).customer, { name: 'Grace' });
});

test('what is wrong is told with its field', () => {
  const wrong = [
    [null, ''],
    [body({ items: [] }), 'items'],
    [body({ items: [{ id: 'tea' }] }), 'items[0].id'],
    [body({ items: [{ id: 'huila-250', quantity: 0 }] }), 'items[0].quantity'],
    [body({ customer: {} }), 'customer.name'],
    [body({ customer: { name: 'Jo', address: { city: 'Bonn' } } }), 'customer.address'],
    [body({ delivery: 'pigeon' }), 'delivery'],
  ];
  for (const [input, field] of wrong) {
    assert.throws(() => parseOrder(input), (error) => error instanceof InvalidOrder && error.field === field);
  }
});

test('the same order has the same number', () => {
  const number = orderNumber(parseOrder(body()));
  assert.match(number, /^C-\d{6}$/);
  assert.strictEqual(orderNumber(parseOrder(body())), number);
  assert.notStrictEqual(orderNumber(parseOrder(body({ items: [{ id: 'huila-250', quantity: 2 }] }))), number);
});

test('a customer is told where the order is', () => {
  const price = { total: 1 };
  assert.match(confirm(parseOrder(body()), price).message, /to Köln/);
  assert.match(confirm(parseOrder(body({ delivery: 'pickup' })), price).message, /in an hour/);
});
