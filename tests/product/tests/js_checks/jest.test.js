describe('jest', () => {
  beforeAll(() => {});
  it('matches', () => {  expect({ a: 1, b: [2] }).toEqual({ a: 1, b: [2] }); expect([1, 2]).not.toContain(3); expect({ a: 1, b: 2 }).toMatchObject({ a: 1 }); });
  it('throws', () => { expect(() => { throw new Error('xyz'); }).toThrow('xyz'); expect(() => {}).not.toThrow(); });
  it('resolves', async () => { await expect(Promise.resolve(1)).resolves.toBe(1); await expect(Promise.reject(new Error('e'))).rejects.toThrow('e'); });
  it('mocks', () => { const f = jest.fn().mockReturnValue(3); f(1); expect(f).toHaveBeenCalledWith(1); expect(f()).toBe(3); expect(f).toHaveBeenCalledTimes(2); });
  it('done', (done) => { setTimeout(() => { expect(1).toBe(1); done(); }, 100); });
  it.each([[1, 2], [3, 4]])('adds one to %i', (a, b) => { expect(a + 1).toBe(b); });
  test.skip('no', () => { throw 1; });
});
