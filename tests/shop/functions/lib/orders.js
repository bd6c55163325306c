'use strict';

const { productById } = require('./catalogue');

const DELIVERIES = ['post', 'pickup'];
const MOST_OF_ONE = 50;

/** What a customer got wrong in an order, and where. */
class InvalidOrder extends Error {
  constructor(field, message) {
    super(message);
    this.name = 'InvalidOrder';
    this.field = field;
  }
}

/** Reads an order as a client sent it. What comes back does not change any more, whoever is given it. */
function parseOrder(body) {
  if (body === null || typeof body !== 'object' || Array.isArray(body)) {
    throw new InvalidOrder('', 'an order is a JSON object');
  }
  const delivery = body.delivery ?? 'post';
  if (!DELIVERIES.includes(delivery)) {
    throw new InvalidOrder('delivery', `delivery is one of ${DELIVERIES.join(', ')}`);
  }
  return deepFreeze({
    items: parseItems(body.items),
    customer: parseCustomer(body.customer, delivery),
    coupon: typeof body.coupon === 'string' ? body.coupon.trim().toUpperCase() : '',
    delivery,
  });
}

function parseItems(items) {
  if (!Array.isArray(items) || items.length === 0) {
    throw new InvalidOrder('items', 'an order has at least one item');
  }
  return items.map((item, index) => {
    const quantity = item?.quantity ?? 1;
    if (!productById(item?.id)) {
      throw new InvalidOrder(`items[${index}].id`, 'there is no such product');
    }
    if (!Number.isInteger(quantity) || quantity < 1 || quantity > MOST_OF_ONE) {
      throw new InvalidOrder(`items[${index}].quantity`, `quantity is a whole number from 1 to ${MOST_OF_ONE}`);
    }
    return { id: item.id, quantity };
  });
}

/** A customer who picks the order up gives no address. */
function parseCustomer(customer, delivery) {
  const name = String(customer?.name ?? '').trim();
  if (name === '') {
    throw new InvalidOrder('customer.name', 'the name is missing');
  }
  if (delivery === 'pickup') return { name };
  const { street, city, country } = customer.address ?? {};
  if (!street || !city || !country) {
    throw new InvalidOrder('customer.address', 'the address is missing, or not complete');
  }
  return { name, address: { street: String(street), city: String(city), country: String(country).toUpperCase() } };
}

function deepFreeze(value) {
  if (value !== null && typeof value === 'object') {
    Object.values(value).forEach(deepFreeze);
    Object.freeze(value);
  }
  return value;
}

/** The number that a customer can give on the telephone; the same order has the same one. */
function orderNumber(order) {
  let hash = 0x811c9dc5;
  for (const character of JSON.stringify([order.customer, order.items])) {
    hash = Math.imul(hash ^ character.codePointAt(0), 0x01000193) >>> 0;
  }
  return `C-${String(hash % 1000000).padStart(6, '0')}`;
}

/** What the customer is told once the order is placed. */
function confirm(order, price) {
  return {
    number: orderNumber(order),
    price,
    message: order.delivery === 'pickup' ? 'Ready for you in an hour.' : `On its way to ${order.customer.address.city} tomorrow.`,
  };
}

module.exports = { InvalidOrder, confirm, orderNumber, parseOrder };
