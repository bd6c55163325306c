'use strict';

const { productById } = require('./catalogue');

/** Value added tax, in per cent, where we send to. */
const VAT_RATES = new Map([
  ['AT', 20],
  ['BE', 21],
  ['DE', 19],
  ['FR', 20],
  ['IT', 22],
  ['NL', 21],
]);

/** The shop is in Germany: its rate holds wherever no other does. */
const HOME_VAT_RATE = 19;

/** Postage by weight, in cents: up to so many grams. */
const POSTAGE = [
  { grams: 500, cents: 290 },
  { grams: 2000, cents: 490 },
  { grams: 10000, cents: 890 },
];

const FREE_POSTAGE_FROM_CENTS = 5000;

const COUPONS = new Map([
  ['SUMMER10', { percent: 10, minimumCents: 0 }],
  ['OFFICE15', { percent: 15, minimumCents: 6000 }],
]);

/** What the items cost before discount, postage and tax. */
function subtotal(order) {
  return order.items.reduce((sum, item) => sum + productById(item.id).cents * item.quantity, 0);
}

/** The discount in cents; a coupon that is unknown or does not apply gives none. */
function discount(order, cents) {
  const coupon = COUPONS.get(order.coupon);
  if (!coupon || cents < coupon.minimumCents) return 0;
  return Math.round((cents * coupon.percent) / 100);
}

/** Postage in cents; nothing is sent when the customer comes to the shop. */
function postage(order, cents) {
  if (order.delivery === 'pickup' || cents >= FREE_POSTAGE_FROM_CENTS) return 0;
  const grams = order.items.reduce((sum, item) => sum + productById(item.id).grams * item.quantity, 0);
  const step = POSTAGE.find((candidate) => grams <= candidate.grams) ?? POSTAGE[POSTAGE.length - 1];
  return step.cents;
}

/** The tax rate in per cent: that of the country that the order goes to. */
function vatRate(order) {
  const rate = VAT_RATES.get(order.customer.address.country);
  return rate ?? HOME_VAT_RATE;
}

/** Everything that makes up the price of an order, in cents. */
function priceOrder(order) {
  const goods = subtotal(order);
  const saved = discount(order, goods);
  const shipping = postage(order, goods - saved);
  const net = goods - saved + shipping;
  const rate = vatRate(order);
  const tax = Math.round((net * rate) / 100);
  return { goods, saved, shipping, tax, total: net + tax, vatPercent: rate };
}

module.exports = { discount, postage, priceOrder, subtotal, vatRate };
