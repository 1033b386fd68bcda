// What goes wrong at a board. `code` is a name in `troubles` of the page's words; `facts` are what its sentence names.

export class Trouble extends Error {
  constructor(code, facts = {}) {
    super(code);
    this.code = code;
    this.facts = facts;
  }
}
