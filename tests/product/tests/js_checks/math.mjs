import data from './data.json' with { type: 'json' };
export let count = 0;
export function bump() { count += 1; return count; }
export default function add(a, b) { return a + b; }
export const base = data.base;
export class Thing {}
