/** Lacks a method. */
export default { name: 'no rival', load() {}, dispose() {} };
