'use strict';

const assert = require('node:assert');
const { describe, it } = require('node:test');

const { discount, postage, priceOrder, subtotal, vatRate } = require('../lib/pricing');

const order = (changes = {}) => ({
  items: [{ id: 'sidamo-250', quantity: 2 }],
  customer: { name: 'Ada', address: { street: 'Long Lane 1', city: 'Wien', country: 'AT' } },
  coupon: '',
  delivery: 'post',
  ...changes,
});

describe('pricing', () => {
  it('adds up the items', () => {
    assert.strictEqual(subtotal(order()), 1780);
    assert.strictEqual(subtotal(order({ items: [{ id: 'mug-stone', quantity: 1 }, { id: 'filters-100', quantity: 3 }] })), 2920);
  });

  it('takes off what a coupon gives', () => {
    assert.strictEqual(discount(order({ coupon: 'SUMMER10' }), 1780), 178);
    assert.strictEqual(discount(order({ coupon: 'OFFICE15' }), 1780), 0);
    assert.strictEqual(discount(order({ coupon: 'OFFICE15' }), 6000), 900);
    assert.strictEqual(discount(order({ coupon: 'NONE' }), 1780), 0);
  });

  it('asks postage by weight, and none from fifty euros on', () => {
    assert.strictEqual(postage(order(), 1780), 290);
    assert.strictEqual(postage(order({ items: [{ id: 'kettle-gooseneck', quantity: 1 }] }), 4900), 490);
    assert.strictEqual(postage(order(), 5000), 0);
  });

  it('taxes by the country that an order goes to', () => {
    assert.strictEqual(vatRate(order()), 20);
    assert.strictEqual(vatRate(order({ customer: { name: 'Jo', address: { street: 'Rue 2', city: 'Lyon', country: 'FR' } } })), 20);
    assert.strictEqual(vatRate(order({ customer: { name: 'Jo', address: { street: 'Gata 3', city: 'Malmö', country: 'SE' } } })), 19);
  });

  it('adds it all up', () => {
    assert.deepStrictEqual(priceOrder(order({ coupon: 'SUMMER10' })), {
      goods: 1780,
      saved: 178,
      shipping: 290,
      tax: 378,
      total: 2270,
      vatPercent: 20,
    });
  });
});
