/** Strongly connected components of a directed graph, by Tarjan's algorithm. Pure. */

/** Which component each node belongs to, and all nodes in an order in which components never point forward. */
export interface Components {
  readonly of: readonly number[];
  /** Targets of edges come before their origins; the nodes of one component stand together, ascending. */
  readonly order: readonly number[];
}

/** @param edges for each node, the nodes it points to */
export function findComponents(edges: readonly (readonly number[])[]): Components {
  const search = new ComponentSearch(edges);
  for (let node = 0; node < edges.length; node += 1) search.from(node);
  return search;
}

/** Keeps its own stack instead of recursing, so that a chain of any length is no problem. */
class ComponentSearch implements Components {
  readonly of: number[];
  readonly order: number[] = [];
  readonly #edges: readonly (readonly number[])[];
  readonly #found: number[];
  readonly #low: number[];
  readonly #open: number[] = [];
  readonly #path: { readonly node: number; next: number }[] = [];
  #clock = 0;
  #components = 0;

  constructor(edges: readonly (readonly number[])[]) {
    this.#edges = edges;
    this.of = edges.map(() => -1);
    this.#found = edges.map(() => -1);
    this.#low = edges.map(() => 0);
  }

  from(root: number): void {
    if (this.#found[root] !== -1) return;
    this.#enter(root);
    for (let step = this.#path.at(-1); step !== undefined; step = this.#path.at(-1)) {
      const target = this.#edges[step.node]?.[step.next];
      step.next += 1;
      if (target === undefined) this.#leave(step.node);
      else if (this.#found[target] === -1) this.#enter(target);
      else if (this.of[target] === -1) this.#lower(step.node, this.#found[target] ?? 0);
    }
  }

  #enter(node: number): void {
    this.#found[node] = this.#clock;
    this.#low[node] = this.#clock;
    this.#clock += 1;
    this.#open.push(node);
    this.#path.push({ node, next: 0 });
  }

  #leave(node: number): void {
    this.#path.pop();
    const low = this.#low[node] ?? 0;
    const parent = this.#path.at(-1);
    if (parent !== undefined) this.#lower(parent.node, low);
    if (low !== this.#found[node]) return;
    const members = this.#open.splice(this.#open.indexOf(node)).sort((a, b) => a - b);
    for (const member of members) this.of[member] = this.#components;
    this.order.push(...members);
    this.#components += 1;
  }

  #lower(node: number, to: number): void {
    this.#low[node] = Math.min(this.#low[node] ?? 0, to);
  }
}
