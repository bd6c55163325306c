'use strict';

const category = document.querySelector('#category');
const list = document.querySelector('#products');
const euros = new Intl.NumberFormat('en', { style: 'currency', currency: 'EUR' });

async function show() {
  const answer = await fetch(`/catalogue?category=${encodeURIComponent(category.value)}`);
  const { products } = await answer.json();
  list.replaceChildren(
    ...products.map((product) => {
      const item = document.createElement('li');
      const name = document.createElement('span');
      const price = document.createElement('span');
      name.textContent = product.name;
      price.textContent = euros.format(product.cents / 100);
      item.append(name, price);
      return item;
    }),
  );
}

category.addEventListener('change', show);
show();
