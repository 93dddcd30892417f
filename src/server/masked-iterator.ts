/** Streams of results that tell of their failure instead of taking the whole socket with them. */
import type { ExecutionResult, GraphQLError } from 'graphql';

type Results = AsyncIterable<ExecutionResult>;

function isIterable(result: unknown): result is Results {
  return typeof result === 'object' && result !== null && Symbol.asyncIterator in result;
}

/**
 * The stream with its failure turned into a last result. By hand and not as an async generator, whose `return()`
 * would wait for the next event before it lets go of the source.
 */
export function withMaskedEnd(
  result: ExecutionResult | Results,
  mask: (error: unknown) => GraphQLError,
): ExecutionResult | AsyncIterableIterator<ExecutionResult> {
  if (!isIterable(result)) return result;
  const source = result[Symbol.asyncIterator]();
  let failed = false;
  const stream: AsyncIterableIterator<ExecutionResult> = {
    async next() {
      if (failed) return { done: true, value: undefined };
      try {
        return await source.next();
      } catch (error) {
        failed = true;
        return { done: false, value: { errors: [mask(error)] } };
      }
    },
    async return() {
      await source.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => stream,
  };
  return stream;
}
