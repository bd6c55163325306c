'use strict';

const { onRequest } = require('firebase-functions/v2/https');

const { findProducts } = require('./lib/catalogue');
const { InvalidOrder, confirm, parseOrder } = require('./lib/orders');
const { priceOrder } = require('./lib/pricing');

/** GET /catalogue?category=beans&search=dark: what can be bought. */
exports.catalogue = onRequest((req, res) => {
  if (req.method !== 'GET') {
    res.status(405).json({ error: 'use GET' });
    return;
  }
  const products = findProducts({ category: req.query.category, search: req.query.search });
  res.set('Cache-Control', 'public, max-age=60');
  res.json({ products });
});

/** POST /quote: what an order would cost, before it is placed. */
exports.quote = onRequest((req, res) => {
  answer(req, res, (order) => {
    res.json({ price: priceOrder(order) });
  });
});

/** POST /order: places an order. */
exports.order = onRequest((req, res) => {
  answer(req, res, (order) => {
    const price = priceOrder(order);
    res.status(201).json(confirm(order, price));
  });
});

/** Reads the order out of a request; what a customer got wrong is said in the answer. */
function answer(req, res, respond) {
  if (req.method !== 'POST') {
    res.status(405).json({ error: 'use POST' });
    return;
  }
  let order;
  try {
    order = parseOrder(req.body);
  } catch (error) {
    if (!(error instanceof InvalidOrder)) throw error;
    res.status(400).json({ error: error.message, field: error.field });
    return;
  }
  respond(order);
}
