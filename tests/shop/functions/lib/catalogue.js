'use strict';

/** Prices are in cents, before tax. */
const PRODUCTS = Object.freeze([
  { id: 'sidamo-250', name: 'Sidamo, light roast', category: 'beans', cents: 890, grams: 250 },
  { id: 'sidamo-1000', name: 'Sidamo, light roast, for the office', category: 'beans', cents: 2990, grams: 1000 },
  { id: 'huila-250', name: 'Huila, medium roast', category: 'beans', cents: 840, grams: 250 },
  { id: 'huila-1000', name: 'Huila, medium roast, for the office', category: 'beans', cents: 2790, grams: 1000 },
  { id: 'mantiqueira-250', name: 'Mantiqueira, dark roast', category: 'beans', cents: 790, grams: 250 },
  { id: 'swiss-water-250', name: 'Decaf, dark roast', category: 'beans', cents: 990, grams: 250 },
  { id: 'dripper-02', name: 'Dripper for two cups', category: 'brewing', cents: 1890, grams: 310 },
  { id: 'filters-100', name: 'Paper filters, one hundred', category: 'brewing', cents: 490, grams: 120 },
  { id: 'kettle-gooseneck', name: 'Gooseneck kettle', category: 'brewing', cents: 6490, grams: 1250 },
  { id: 'grinder-hand', name: 'Hand grinder', category: 'brewing', cents: 8900, grams: 640 },
  { id: 'mug-stone', name: 'Stoneware mug', category: 'cups', cents: 1450, grams: 420 },
  { id: 'espresso-pair', name: 'Espresso cups, a pair', category: 'cups', cents: 1990, grams: 380 },
]);

const BY_ID = new Map(PRODUCTS.map((product) => [product.id, product]));

/** The product with this id; undefined when there is none. */
function productById(id) {
  return BY_ID.get(id);
}

/** Products of a category whose name holds every word that is searched for. */
function findProducts({ category, search } = {}) {
  const words = String(search ?? '').toLowerCase().split(/\s+/).filter(Boolean);
  return PRODUCTS.filter((product) => {
    if (category && product.category !== category) return false;
    const name = product.name.toLowerCase();
    return words.every((word) => name.includes(word));
  });
}

module.exports = { PRODUCTS, findProducts, productById };
